"""The address of a server: how it is shown, and which driver and database it names."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from gdexp.core import is_secret_key, mask_secrets

POSTGRESQL = "postgresql://"


def is_postgresql(uri: str) -> bool:
    """Return whether an address names a PostgreSQL server."""
    return uri.lower().startswith((POSTGRESQL, "postgresql+psycopg://"))


def with_driver(uri: str) -> str:
    """Return the address with psycopg as its driver: SQLAlchemy would choose the older psycopg2."""
    head, tail = uri[: len(POSTGRESQL)], uri[len(POSTGRESQL) :]
    return f"postgresql+psycopg://{tail}" if head.lower() == POSTGRESQL else uri


def database_key(uri: str) -> tuple[str, int, str]:
    """Return host, port and database of a PostgreSQL address, without the user."""
    parts = urlsplit(uri)
    host = parts.hostname or parse_qs(parts.query).get("host", ["localhost"])[0]
    return host, parts.port or 5432, parts.path.strip("/")


def mask_uri(uri: str) -> str:
    """Return a URI with `***` for user, password and query, fit to be shown."""
    return mask_secrets(uri) if "://" in uri else uri.rpartition("@")[2]


def has_password(uri: str) -> bool:
    """Return whether an address holds a password, before the host or in the query."""
    if "://" not in uri:
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:  # whatever uses the address will refuse it
        return False
    return parts.password is not None or any(map(is_secret_key, parse_qs(parts.query)))
