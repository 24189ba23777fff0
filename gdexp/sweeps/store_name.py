"""The store of a sweep's runs, as the automatic name of its study knows it."""

from __future__ import annotations

from gdexp.core import command_folder
from gdexp.tracking import TrackingSettings


def store_name(tracking: TrackingSettings) -> str:
    """Return a server's address, or a file's name.

    A database below the current directory has the path from there, so that the folder of the work
    can be moved.

    Args:
        tracking: the store.
    """
    database = tracking.database
    if database is None:
        return tracking.store_key
    if database.is_relative_to(command_folder()):
        return database.relative_to(command_folder()).as_posix()
    return database.name
