"""Addresses of artifacts: relative to the folder of the database file, so that it can be moved.

MLflow keeps the address of the artifacts of every experiment and run. Where the database is a file,
gdexp keeps `mlartifacts/EXPERIMENT` and `mlartifacts/EXPERIMENT/RUN/artifacts`, and every reader
and writer asks `absolute_address` where that is. MLflow itself reads such an address from the
directory that it is started in.

Earlier versions kept absolute addresses. They are read here, and changed by
`address_conversion.convert_addresses`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

ARTIFACTS = "mlartifacts"
"""The folder of artifacts beside the database file."""


def store_folder(database: Path) -> Path:
    """Return the folder of a database file; for a link, that of the file itself."""
    return (database.resolve() if database.is_symlink() else database).parent


def local_folder(address: str) -> Path | None:
    """Return the folder that an address names, absolute or not; None where it is on a server."""
    parts = urlsplit(address)
    local = parts.scheme in ("", "file") and parts.netloc in ("", "localhost")
    return Path(url2pathname(parts.path if parts.scheme else address)) if local else None


def absolute_address(address: str, folder: Path | None) -> str:
    """Return an address that means the same in every directory.

    Args:
        address: as MLflow keeps it.
        folder: of the database file; None where the database is on a server.
    """
    relative = None if folder is None else relative_address(address, folder)
    if folder is None or relative is None:
        return address
    return (folder / url2pathname(relative)).as_uri()


def relative_address(address: str, folder: Path) -> str | None:
    """Return an address relative to the database's folder; None where it names another place.

    In a store that was moved or copied, an absolute address of an earlier version names the old
    folder. What comes from `mlartifacts` on then counts, if it exists in this folder, or nothing
    exists in the old one.
    """
    place = local_folder(address)
    if place is None:
        return None
    if not place.is_absolute():
        found: Path | None = place
    elif place.is_relative_to(folder):
        found = place.relative_to(folder)
    else:
        names = place.parts
        tails = [Path(*names[i:]) for i, name in enumerate(names[:-1]) if name == ARTIFACTS]
        found = next((tail for tail in tails if (folder / tail).exists()), None)
        if found is None and tails and not place.exists():
            found = tails[-1]
    return None if found is None else quote(found.as_posix())
