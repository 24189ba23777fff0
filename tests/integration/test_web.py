"""`scripts/ui` on the network: who reaches it, under which names, and from which pages."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gdexp.tracking.record import Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from gdexp.ui.server import Server
from tests.integration.test_ui import processes
from tests.support.ports import free_port

pytestmark = pytest.mark.server

SEARCH = "/api/2.0/mlflow/experiments/search"
CREATE = "/api/2.0/mlflow/experiments/create"
PATHS = ("/", SEARCH, "/ajax-api/2.0/mlflow/experiments/search", "/graphql", "/v1/traces")
JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def server(real_programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("web")
    settings = TrackingSettings(uri=f"sqlite:///{folder / 'mlflow.db'}")
    store = Store(settings)
    store.finish(store.start(RunHeader(name="a run", kind="run")), Record())
    with Server(settings, free_port()) as running:
        yield running


def raw(server: Server, request: bytes) -> tuple[int, dict[str, str]]:
    """The status and the headers of the answer to what is sent just so."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            part = connection.recv(65536)
            if not part:
                break
            head += part
    first, *lines = head.partition(b"\r\n\r\n")[0].decode("latin1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers


def asked(
    server: Server,
    path: str = "/",
    host: str | None = "",
    headers: Sequence[tuple[str, str]] = (),
    method: str = "GET",
    body: str = "",
) -> tuple[int, dict[str, str]]:
    """The same for a request in parts; an empty host stands for the server's own."""
    hosts = [] if host is None else [("Host", host or f"127.0.0.1:{server.port}")]
    ends = [("Connection", "close"), ("Content-Length", str(len(body)))]
    lines = [f"{name}: {value}" for name, value in [*hosts, *headers, *ends]]
    return raw(server, "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", body]).encode())


def test_it_listens_on_this_machine_only(server: Server) -> None:
    """Every socket that listens on the port, in either version of the protocol."""
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, _, port = local.partition(":")
            if state == "0A" and int(port, 16) == server.port:
                listening.append(address)
    assert listening == ["0100007F"]


def test_its_own_names_are_answered(server: Server) -> None:
    for name in ("127.0.0.1", "localhost"):
        for path in ("/", SEARCH + "?max_results=1"):
            assert asked(server, path, f"{name}:{server.port}")[0] == 200


FOREIGN = (
    *("evil.example", "localhost", "127.0.0.1", "localhost.evil", "127.0.0.1.evil"),
    *("localhost.evil:PORT", "127.0.0.1.evil.example:PORT", "localhost:PORT.evil"),
    *("0.0.0.0", "0.0.0.0:PORT", "[::1]", "[::1]:PORT", "127.1:PORT", "2130706433:PORT"),
    *("10.0.0.1", "10.evil.example", "192.168.1.2:PORT", "192.168.evil.example", "172.16.evil"),
    *("fd00:evil", "fc00:1", "LOCALHOST:PORT", "localhost.:PORT", "me@localhost:PORT"),
    *("localhost:1", "127.0.0.1:80", "*", "*:PORT", "localhost:PORT,evil.example"),
)


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_is_refused_on_every_path(server: Server, host: str) -> None:
    name = host.replace("PORT", str(server.port))
    for path in (*PATHS, f"{SEARCH}?max_results=1", "/static-files/index.html", "/get-artifact"):
        assert asked(server, path, name)[0] == 403


def test_no_header_stands_for_the_host(server: Server) -> None:
    own = f"localhost:{server.port}"
    assert asked(server, host=None)[0] == 400
    for name, value in (
        ("X-Forwarded-Host", own),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", f"host={own}"),
        ("X-Original-Host", own),
    ):
        assert asked(server, host="evil.example", headers=[(name, value)])[0] == 403
    both = [f"Host: {own}", "Host: evil.example"]
    for hosts in (both, both[::-1]):
        request = "\r\n".join(["GET / HTTP/1.1", *hosts, "Connection: close", "", ""])
        assert raw(server, request.encode())[0] == 400
    assert raw(server, b"GET / HTTP/1.0\r\n\r\n")[0] == 403
    assert asked(server, f"http://{own}{SEARCH}?max_results=1", "evil.example")[0] == 403
    assert asked(server, "http://evil.example/")[0] == 404


ORIGINS = (
    *("http://evil.example", "https://evil.example", "null", "file://", "http://localhost.evil"),
    *("http://localhost", "http://127.0.0.1", "http://localhost:1", "http://127.0.0.1:3000"),
    *("https://localhost:PORT", "https://127.0.0.1:PORT", "http://[::1]:PORT", "http://[::1]"),
    *("http://localhost:PORT.evil", "http://localhost:PORT@evil.example", "http://0.0.0.0:PORT"),
    *("http://192.168.1.2", "http://10.0.0.1", "chrome-extension://localhost", "HTTP://LOCALHOST"),
    *("http://localhost:PORT http://evil.example", "http://127.0.0.1.evil:PORT", ""),
)


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_from_elsewhere_reads_nothing_and_changes_nothing(
    server: Server, origin: str
) -> None:
    given = ("Origin", origin.replace("PORT", str(server.port)))
    body = json.dumps({"name": f"made by {origin}"})
    for path in PATHS:
        for method in ("GET", "POST"):
            status, headers = asked(server, path, "", [given, JSON], method, body)
            assert status == 403
            assert "access-control-allow-origin" not in headers
    assert asked(server, CREATE, "", [given, JSON], "POST", body)[0] == 403
    preflight = [given, ("Access-Control-Request-Method", "POST")]
    assert asked(server, CREATE, "", preflight, "OPTIONS")[0] == 403


def test_its_own_pages_and_programs_read_and_change(server: Server) -> None:
    for number, name in enumerate((None, "127.0.0.1", "localhost")):
        given = [] if name is None else [("Origin", f"http://{name}:{server.port}")]
        body = json.dumps({"name": f"experiment {number}"})
        assert asked(server, CREATE, "", [*given, JSON], "POST", body)[0] == 200
        assert asked(server, f"{SEARCH}?max_results=1", "", given)[0] == 200


def test_two_origins_are_as_many_as_the_worse_of_them(server: Server) -> None:
    own, other = f"http://localhost:{server.port}", "http://evil.example"
    for pair in ((own, other), (other, own)):
        given = [("Origin", each) for each in pair]
        assert asked(server, f"{SEARCH}?max_results=1", "", given)[0] == 403


def test_the_store_s_address_is_in_no_command_line(server: Server) -> None:
    database = server.settings.database
    assert database is not None
    lines = processes(database.parent)
    assert any("gdexp.ui.origin_guard server" in line for line in lines)
    assert not any("mlflow.db" in line for line in lines)
