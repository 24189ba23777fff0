"""The settings of MLflow's store, as calls from Python take them."""

from __future__ import annotations

import os

from gdexp.config import literal
from gdexp.core import BadInput
from gdexp.tracking import TrackingSettings

Place = str | os.PathLike[str]
"""The file of a SQLite database, or an address."""


def tracking_uri(place: Place) -> str:
    """Return the address of a store: a file is one of SQLite."""
    if not isinstance(place, str | os.PathLike):
        raise BadInput("tracking", place, "must be a file or an address, such as mlflow.db")
    text = os.fspath(place)
    return text if "://" in text or text.startswith("sqlite:") else f"sqlite:///{text}"


def tracking_lines(place: Place | None) -> list[str]:
    """Return the override that names a store."""
    return [] if place is None else [f"tracking.uri={literal(tracking_uri(place))}"]


def tracking_settings(place: Place | None, experiment: str) -> TrackingSettings:
    """Return the settings of a store and experiment."""
    uri = None if place is None else tracking_uri(place)
    return TrackingSettings(uri=uri, experiment=experiment)
