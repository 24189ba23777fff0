"""How many trials are asked and evaluated together."""

from __future__ import annotations

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.sampling import GRID
from gdexp.sweeps.study import TrialRecord

RUNS, ROWS = 64, 1024
"""Trials of a batch whose sampler does not learn: where each becomes a run, and where each becomes
a row of a file. More rows are no faster, and their traces take memory."""

RUNS_ON_GPU, ROWS_ON_GPU = 1024, 8192
"""The same on a GPU: an iteration of a thousand rows takes as long there as one of one."""

MAX_LOSSES = 2**25
"""Losses (256 MiB) that the traces of a batch may hold."""

MARGIN = 32
"""How much longer than the mean of n earlier traces those of a batch of rows may be on average:
by a factor of 1 + MARGIN / sqrt(n)."""


class BatchSize:
    """Chooses the size of each batch.

    What a sampler proposes depends on the trial's ordinal and on the trials told before its batch.
    So the size matters only to samplers that learn. These get one trial at a time, unless
    `sweep.batch` gives a size.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._losses = self._descents = 0

    def add(self, record: TrialRecord) -> None:
        """Add the trace lengths of a finished trial."""
        self._losses += record.trace_updates + len(record.counts)
        self._descents += len(record.counts)

    def at(self, ordinal: int) -> int:
        """Return the size of the batch that begins with the trial of this ordinal."""
        settings, startup = self._plan.settings, self._plan.sampler.startup
        if self._plan.one_at_a_time:
            return 1
        if settings.batch is not None:
            return settings.batch - ordinal % settings.batch
        if startup is not None:
            return max(startup - ordinal, 1)
        size = RUNS_ON_GPU if self._plan.on_gpu else RUNS
        longest = int(self._plan.base["stopping"]["max_iterations"]) + 1
        if self._plan.tracking.best is not None:
            size = ROWS_ON_GPU if self._plan.on_gpu else ROWS
            # New points are like earlier ones, but for those of a grid.
            if self._descents and self._plan.sampler.name != GRID:
                mean, margin = self._losses / self._descents, 1 + MARGIN / self._descents**0.5
                longest = min(longest, int(mean * margin) + 1)
        size = max(min(size, MAX_LOSSES // longest) // self._plan.descents, 1)
        return size - ordinal % size
