"""Where runs are, as calls from Python take it: the file of a database, or an address."""

from __future__ import annotations

import os

from gdexp.core import BadInput
from gdexp.tracking.settings import SQLITE, TrackingSettings

StoreLocation = str | os.PathLike[str]
"""The file of a SQLite database, or an address."""


def tracking_uri(location: StoreLocation) -> str:
    """Return the address of a store: a file is one of SQLite."""
    if not isinstance(location, str | os.PathLike):
        raise BadInput("tracking", location, "must be a file or an address, such as mlflow.db")
    text = os.fspath(location)
    return text if "://" in text or text.startswith("sqlite:") else SQLITE + text


def tracking_settings(location: StoreLocation | None, experiment: str) -> TrackingSettings:
    """Return the settings of a store and experiment."""
    uri = None if location is None else tracking_uri(location)
    return TrackingSettings(uri=uri, experiment=experiment)
