"""A server's address: how it is shown, which driver it needs, whether anything answers there."""

from __future__ import annotations

from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from gdexp.core import BadInput, StorageFailed, is_secret_key, mask_secrets
from gdexp.tracking.server_probe import ask_server

POSTGRESQL = "postgresql://"


def is_postgresql(uri: str) -> bool:
    """Whether an address is that of a PostgreSQL server."""
    return uri.lower().startswith((POSTGRESQL, "postgresql+psycopg://"))


def with_driver(uri: str) -> str:
    """The address with psycopg named: SQLAlchemy's own choice, psycopg2, is an older driver."""
    head, tail = uri[: len(POSTGRESQL)], uri[len(POSTGRESQL) :]
    return f"postgresql+psycopg://{tail}" if head.lower() == POSTGRESQL else uri


def named_database(uri: str) -> tuple[str, int, str]:
    """Which database of which PostgreSQL server an address names, whoever asks."""
    parts = urlsplit(uri)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return host, parts.port or 5432, parts.path.strip("/")


def masked(uri: str) -> str:
    """A URI without user, password and query, fit to be shown."""
    return mask_secrets(uri) if "://" in uri else uri.rpartition("@")[2]


def has_password(uri: str) -> bool:
    """Whether an address holds a password, before the host or behind a question mark."""
    if "://" not in uri:
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:  # then whatever uses it will refuse it
        return False
    return parts.password is not None or any(map(is_secret_key, parse_qs(parts.query)))


def check_server(key: str, uri: str, allowed: str) -> None:
    """Look, within seconds, whether anything answers at an address.

    Args:
        key: the config key that it was given under.
        uri: `http(s)://…` or `postgresql://…`.
        allowed: in words.

    Raises:
        BadInput: it is no address, or its driver is not installed.
        StorageFailed: nothing answers, or does not let us in.
    """
    shown = masked(uri)
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
        ask_server(parts.scheme, parts.hostname, port, parts.path)
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        raise StorageFailed(
            f"{key}={shown}: no server answers there ({reason}); start it, or name another"
        ) from None
    if is_postgresql(uri):
        _log_in(key, uri)


def _log_in(key: str, uri: str) -> None:
    """Open a PostgreSQL database once; MLflow would try for minutes with a wrong password."""
    import psycopg

    try:
        psycopg.connect(POSTGRESQL + uri.partition("://")[2], connect_timeout=3).close()
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise StorageFailed(f"{key}={masked(uri)}: {reason}") from None
