"""Check within seconds that a server answers: MLflow and PostgreSQL themselves wait minutes."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gdexp.core import BadInput, StorageFailed
from gdexp.tracking.server_address import POSTGRESQL, is_postgresql, mask_uri

WITHIN_SECONDS = 2.8
"""Time limit for the connection and the answer together."""

SHORTEST_SECONDS = 0.5
"""Least time for the answer, however long the connection took."""

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
"""The first message of PostgreSQL's protocol; every such server answers with one letter."""


def check_server(key: str, uri: str, allowed: str) -> None:
    """Check within seconds that a server answers at an address.

    Args:
        key: the config key of the address.
        uri: `http(s)://…` or `postgresql://…`.
        allowed: the allowed addresses, in words.

    Raises:
        BadInput: the text is not an address, or its driver is not installed.
        StorageFailed: no server answers, or it refuses the login.
    """
    shown = mask_uri(uri)
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise BadInput(key, shown, str(error)) from None
    if is_postgresql(uri) and find_spec("psycopg") is None:
        raise BadInput(key, shown, "needs psycopg; install gdexp[postgres]")
    try:
        port = parts.port
    except ValueError:
        raise BadInput(key, shown, "has a port that is not 0 … 65535") from None
    sockets = parse_qs(parts.query).get("host", [""])[0]
    if not parts.hostname and parts.scheme.startswith("postgresql") and sockets.startswith("/"):
        if not Path(sockets).is_dir():
            raise StorageFailed(f"{key}={shown}: there is no folder {sockets}")
        _log_in(key, uri)
        return
    if not parts.hostname:
        raise BadInput(key, shown, f"names no host; must be {allowed}")
    port = port or {"http": 80, "https": 443}.get(parts.scheme, 5432)
    try:
        _ask_server(parts.scheme, parts.hostname, port, parts.path)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        raise StorageFailed(
            f"{key}={shown}: no server answers there ({reason}); start it, or name another"
        ) from None
    if is_postgresql(uri):
        _log_in(key, uri)


def _log_in(key: str, uri: str) -> None:
    """Open a PostgreSQL database once: with a wrong password MLflow would try for minutes."""
    import psycopg

    try:
        psycopg.connect(POSTGRESQL + uri.partition("://")[2], connect_timeout=3).close()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise StorageFailed(f"{key}={mask_uri(uri)}: {reason}") from None


def _ask_server(scheme: str, host: str, port: int, path: str = "") -> None:
    """Wait for any answer of a server.

    Args:
        scheme: `http`, `https` or one of PostgreSQL.
        host: the host name.
        port: the port.
        path: the path below which the server answers.

    Raises:
        OSError: the server does not answer, or answers with an error of its own.
        HTTPException: the answer is not HTTP.
    """
    began = time.monotonic()
    with socket.create_connection((host, port), timeout=WITHIN_SECONDS) as connection:
        connection.settimeout(max(WITHIN_SECONDS - (time.monotonic() - began), SHORTEST_SECONDS))
        if scheme in ("http", "https"):
            _ask_http(connection, scheme, host, port, path)
        else:
            connection.sendall(_SSL_REQUEST)
            if not connection.recv(1):
                raise ConnectionError("it hangs up")


def _ask_http(connection: socket.socket, scheme: str, host: str, port: int, path: str) -> None:
    """Ask for the path `/health` of MLflow's server; an answer 404 or 401 is fine too."""
    client = http.client.HTTPConnection(host, port)
    client.sock = connection
    if scheme == "https":
        # No secret is sent here. MLflow itself checks the certificate later.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.sock = context.wrap_socket(connection, server_hostname=host)
    client.request("GET", f"{path.rstrip('/')}/health")
    answer = client.getresponse()
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        raise ConnectionError(f"it answers {answer.status} {answer.reason}")
