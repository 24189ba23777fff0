"""The trials of a sweep without runs: the study alone holds them."""

from __future__ import annotations

import time

from gdexp.sweeps.study import UNTRACKED, TrialRecord
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial
from gdexp.sweeps.worker.run_records import TrialRecorder, TrialRuns
from gdexp.tracking import PlannedRun, Record, RunHeader


class NoRecorder(TrialRecorder):
    """Records nothing."""

    def read_settings(self) -> None:
        """Do nothing."""

    def reserve(self, asked: AskedTrial) -> TrialRuns:
        """Return a run that is in no store."""
        header = RunHeader(f"trial {asked.number}", "trial")
        return TrialRuns(PlannedRun(UNTRACKED, header, int(time.time() * 1000)), [])

    def records(
        self,
        runs: TrialRuns,
        trial: EvaluatedTrial,
        record: TrialRecord,
        adopted: bool = False,
    ) -> list[tuple[PlannedRun, Record]]:
        """Return nothing."""
        return []
