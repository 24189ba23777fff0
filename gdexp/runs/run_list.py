"""A sequence of tracked runs: ranking, the best run, and a data frame of all."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, overload

from gdexp.core import format_counts
from gdexp.descent import CAME_NEAR_NOTHING
from gdexp.runs.tracked_run import TrackedRun

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]


BEST_FIRST_TAG = "gdexp.best_first"
"""The tag of a sweep with the metric that ranks its trials, and the direction."""

ASCENDING, DESCENDING = "ASC", "DESC"


class Runs(Sequence[TrackedRun]):
    """A sequence of tracked runs that converts to a data frame.

    Attributes:
        sweep: the parent run, if these are the runs of one sweep.
    """

    def __init__(self, runs: Iterable[TrackedRun], sweep: TrackedRun | None = None) -> None:
        self._runs = tuple(runs)
        self.sweep = sweep

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> TrackedRun: ...

    @overload
    def __getitem__(self, index: slice) -> Runs: ...

    def __getitem__(self, index: int | slice) -> TrackedRun | Runs:
        if isinstance(index, slice):
            return Runs(self._runs[index], self.sweep)
        return self._runs[index]

    @property
    def best(self) -> TrackedRun | None:
        """The run of the lowest `rank_key`; None if there are no runs."""
        return min(self._runs, key=rank_key, default=None)

    def frame(self) -> pd.DataFrame:
        """Return a row per run: run_id, name, kind, trial, status, state, all params and metrics.

        Params are converted from MLflow's text to values. A value that a run lacks is missing in
        its row. A param with the name of another column is called `params.NAME`.
        """
        import pandas as pd

        first = ("run_id", "name", "kind", "trial", "status", "state")
        params = list(dict.fromkeys(key for run in self._runs for key in run.params))
        metrics = list(dict.fromkeys(key for run in self._runs for key in run.metrics))
        taken = {*first, *metrics}
        named = {key: f"params.{key}" if key in taken else key for key in params}
        taken |= set(named.values()) | set(first)
        measured = {key: f"metrics.{key}" if key in first else key for key in metrics}
        rows = [
            {
                **{name: getattr(run, name) for name in first},
                **{named[key]: value for key, value in run.values.items()},
                **{measured[key]: value for key, value in run.metrics.items()},
            }
            for run in self._runs
        ]
        columns = [*first, *(named[key] for key in params), *(measured[key] for key in metrics)]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.astype({"trial": "Int64"})  # whole numbers, also where some are missing

    def _repr_html_(self) -> str:
        """Return the best runs and their curves for a notebook."""
        from gdexp.runs.runs_html import MOST, runs_html

        best = sorted(self._runs, key=rank_key)[:MOST]
        return runs_html(repr(self).strip("<>"), best, len(self) - len(best))

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for run in self._runs:
            word = run.status or run.state
            counts[word] = counts.get(word, 0) + 1
        summary = format_counts(counts)
        return f"<{len(self):,} tracked runs: {summary}>" if summary else "<0 tracked runs>"


def best_runs(runs: Runs, most: int) -> Runs:
    """Return the `most` best runs, best first; or all in their own order if there are no more."""
    if len(runs) <= most:
        return runs
    return Runs(heapq.nsmallest(most, runs, key=rank_key), runs.sweep)


def rank_key(run: TrackedRun) -> tuple[bool, float, float, int]:
    """Return the sort key of a run: converged first, then recorded hitting time, then start.

    Of runs that did not converge, with one hitting time as a rule, the smallest final loss is
    first, and those that came near nothing are last. Another application's trials of a sweep for a
    value are ranked by that value.
    """
    order = None if run.sweep is None else run.sweep.tags.get(BEST_FIRST_TAG)
    if order is None:
        nearness = 0.0 if run.converged else run.metrics.get("final_loss", math.inf)
        if math.isnan(nearness) or run.status in CAME_NEAR_NOTHING:
            nearness = math.inf
        return not run.converged, run.recorded_time, nearness, run.started
    metric, _, direction = order.rpartition(" ")
    value = run.metrics.get(metric, math.nan)
    if math.isnan(value):
        return True, math.inf, 0.0, run.started
    return False, -value if direction == DESCENDING else value, 0.0, run.started
