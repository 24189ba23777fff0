"""The settings of MLflow's store, as calls from Python take them."""

from __future__ import annotations

from gdexp.config import literal
from gdexp.tracking import StoreLocation, tracking_uri


def tracking_lines(location: StoreLocation | None) -> list[str]:
    """Return the override that names a store."""
    return [] if location is None else [f"tracking.uri={literal(tracking_uri(location))}"]
