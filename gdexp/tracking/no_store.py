"""The store of a sweep that has no runs in MLflow: it takes everything and keeps nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

from gdexp.tracking.programs import SharedPrograms
from gdexp.tracking.record import PlannedRun, Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from gdexp.tracking.store_files import StoreFiles
from gdexp.tracking.stored_run import StoredRun


class NoStore(Store):
    """Keeps nothing, so MLflow is not needed.

    Every run that it is asked for exists and has the empty id.
    """

    def __init__(self) -> None:
        self.settings = TrackingSettings()
        self.database, self.warning = None, None
        self.files, self.experiment_id = StoreFiles(""), ""

    def prepare(self, header: RunHeader, started: int | None = None) -> PlannedRun:
        """Return a run with the empty id."""
        return PlannedRun("", header, int(time.time() * 1000) if started is None else started)

    def start(self, header: RunHeader) -> str:
        """Return the empty id."""
        return ""

    def show(self, run: PlannedRun) -> None:
        """Do nothing."""

    def write(self, runs: Sequence[tuple[PlannedRun, Record]], status: str = "FINISHED") -> None:
        """Do nothing."""

    def log_values(self, run_id: str, record: Record) -> None:
        """Do nothing."""

    def end(self, run_id: str, status: str) -> None:
        """Do nothing."""

    def abandon(self, run: str | PlannedRun, status: str) -> str | None:
        """Return None: there is no run."""
        return None

    def programs(self, parent: str) -> SharedPrograms:
        """Return what stores no program."""
        return SharedPrograms(lambda program: None)

    def has_run(self, run_id: str) -> bool:
        """Return True."""
        return True

    def missing_reason(self, run_id: str) -> str | None:
        """Return None: nothing is missing."""
        return None

    def search(
        self,
        tags: Mapping[str, str],
        status: str | None = None,
        run_ids: Collection[str] | None = None,
    ) -> list[StoredRun]:
        """Return nothing."""
        return []
