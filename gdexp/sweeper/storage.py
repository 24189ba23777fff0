"""Where a study of another application is kept."""

from __future__ import annotations

from gdexp.core import BadInput
from gdexp.tracking import is_postgresql, mask_uri

SQLITE = "sqlite:///"


def journal_of(storage: object) -> str | None:
    """Return the storage as gdexp's own sweeps name it.

    A SQLite database becomes an Optuna journal beside it: several processes can write that.

    Raises:
        BadInput: another kind of storage.
    """
    if storage is None:
        return None
    if not isinstance(storage, str):
        raise BadInput("storage", storage, "must be a path or postgresql://…, not an object")
    if storage.startswith(SQLITE):
        path = storage.removeprefix(SQLITE)
        if path in ("", ":memory:"):
            return None
        return f"{path}.journal"
    if "://" in storage and not is_postgresql(storage):
        raise BadInput(
            "storage", mask_uri(storage), "must be a path, sqlite:///… or postgresql://…"
        )
    return storage
