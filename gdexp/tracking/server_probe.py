"""Whether a server answers, found out in seconds: MLflow and PostgreSQL themselves wait minutes."""

from __future__ import annotations

import http.client
import socket
import ssl
import time

WITHIN_SECONDS = 2.8
"""For a connection and an answer together."""

SHORTEST_SECONDS = 0.5
"""For the answer, however long the connection took."""

_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
"""The first words of PostgreSQL's protocol, which any server of it answers with one letter."""


def ask_server(scheme: str, host: str, port: int, path: str = "") -> None:
    """Let a server say anything at all.

    Args:
        scheme: of its address; `http`, `https` or one of PostgreSQL.
        host: where it is.
        port: that it listens on.
        path: before the paths of its own, where it shares the address with others.

    Raises:
        OSError: it does not answer, or it answers that it has failed.
        HTTPException: what answers there does not speak HTTP.
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
    """Ask for the health that MLflow's server tells; that it is not known, or not us, is fine."""
    asking = http.client.HTTPConnection(host, port)
    asking.sock = connection
    if scheme == "https":
        # Nothing is told here; whether the server is the right one is for MLflow to find out.
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        asking.sock = anyone.wrap_socket(connection, server_hostname=host)
    asking.request("GET", f"{path.rstrip('/')}/health")
    answer = asking.getresponse()
    if answer.status >= http.client.INTERNAL_SERVER_ERROR:
        raise ConnectionError(f"it answers {answer.status} {answer.reason}")
