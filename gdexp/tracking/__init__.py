"""MLflow: where runs are kept, what one run's record is, and writing it."""

from __future__ import annotations

from gdexp.tracking.location import TrackingSettings
from gdexp.tracking.pending import Pending
from gdexp.tracking.record import Opening, Record, descent_record
from gdexp.tracking.server import masked
from gdexp.tracking.store import Store

__all__ = ["Opening", "Pending", "Record", "Store", "TrackingSettings", "descent_record", "masked"]
