"""The address of a server: how it is shown, and which driver and database it names."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from gdexp.core import hidden, secret_key

POSTGRESQL = "postgresql://"


def is_postgresql(uri: str) -> bool:
    """Whether an address is that of a PostgreSQL server."""
    return uri.lower().startswith((POSTGRESQL, "postgresql+psycopg://"))


def with_driver(uri: str) -> str:
    """The address with psycopg named: SQLAlchemy's own choice, psycopg2, is an older driver."""
    head, tail = uri[: len(POSTGRESQL)], uri[len(POSTGRESQL) :]
    return f"postgresql+psycopg://{tail}" if head.lower() == POSTGRESQL else uri


def database_key(uri: str) -> tuple[str, int, str]:
    """Which database of which PostgreSQL server an address names, whoever asks."""
    parts = urlsplit(uri)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return host, parts.port or 5432, parts.path.strip("/")


def mask_uri(uri: str) -> str:
    """A URI without user, password and query, fit to be shown."""
    return hidden(uri) if "://" in uri else uri.rpartition("@")[2]


def has_password(uri: str) -> bool:
    """Whether an address holds a password, before the host or behind a question mark."""
    if "://" not in uri:
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:  # then whatever uses it will refuse it
        return False
    return parts.password is not None or any(map(secret_key, parse_qs(parts.query)))
