"""Many tracked runs: in order, the best of them, and as a data frame."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, overload

from gdexp.runs.tracked_run import TrackedRun

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]


class Runs(Sequence[TrackedRun]):
    """Tracked runs in order; a list of `TrackedRun` that can be made a data frame.

    Attributes:
        sweep: the sweep's own run, when these are the runs of one sweep.
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
        """The converged run with the smallest recorded hitting time; without one, the closest."""
        return min(self._runs, key=rank_key, default=None)

    def frame(self) -> pd.DataFrame:
        """One row per run: run_id, name, kind, trial, status, state, every param, every metric.

        Params are values, not MLflow's text; what a run does not have is missing in its row.
        A param with the name of another column is called `params.NAME`.
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
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for run in self._runs:
            word = run.status or run.state
            counts[word] = counts.get(word, 0) + 1
        said = ", ".join(f"{count:,} {word}" for word, count in counts.items())
        return f"<{len(self):,} tracked runs: {said}>" if said else "<0 tracked runs>"


def best_runs(runs: Runs, most: int) -> Runs:
    """The best so many, the best first; all as they are where there are no more."""
    if len(runs) <= most:
        return runs
    return Runs(heapq.nsmallest(most, runs, key=rank_key), runs.sweep)


def rank_key(run: TrackedRun) -> tuple[bool, float, int]:
    """What runs are ordered by: converged first, then the recorded hitting time, then age."""
    return not run.converged, run.recorded_time, run.started
