"""Tracked runs as a notebook shows them: a table of the best, and their loss curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gdexp.descent import LOSS
from gdexp.display import BLUE, LIGHT_GREY, Chart, notebook
from gdexp.runs.artifact_reader import UnreadableRun

if TYPE_CHECKING:
    from gdexp.runs.run_list import Runs
    from gdexp.runs.tracked_run import TrackedRun

MOST, MOST_POINTS = 10, 2_000
"""The most runs, and points of a curve, that are shown."""

OUTCOME = ("iterations", "hitting_time", "final_loss")


def runs_html(runs: Runs) -> str:
    """Return a table of the best runs with what differs among them, and their loss curves."""
    from gdexp.runs.run_list import best_runs

    best = [*best_runs(runs, MOST)]
    keys = [k for k in dict.fromkeys(k for r in best for k in r.params) if _differs(best, k)]
    headings = ["run", "status", *keys, *OUTCOME]
    rows = [
        [r.short, r.status or r.state, *(r.values.get(k) for k in keys), *_outcome(r)] for r in best
    ]
    title = notebook.heading(repr(runs).strip("<>"))
    left = len(runs) - len(best)
    more = f"<p>and {left:,} more, ranked lower</p>" if left else ""
    return title + notebook.table(headings, rows, MOST) + more + _curves(best)


def _differs(runs: Sequence[TrackedRun], key: str) -> bool:
    return len({run.params.get(key) for run in runs}) > 1


def _outcome(run: TrackedRun) -> list[float | None]:
    return [run.metrics.get(name) for name in OUTCOME]


def _curves(runs: Sequence[TrackedRun]) -> str:
    """Return the loss curves, the first of the runs in colour."""
    chart = Chart(6.4, 3.2, x_label="iteration", y_label="loss - f*", y_log=True)
    drawn = 0
    for place, run in reversed([*enumerate(runs)]):
        try:
            if run.metric != LOSS or run.absolute:
                continue
            gaps = run.gaps
        except UnreadableRun:
            continue
        steps = np.unique(np.linspace(0, len(gaps) - 1, MOST_POINTS).astype(int))
        seen = np.isfinite(gaps[steps]) & (gaps[steps] > 0)
        if seen.sum() > 1:
            colour = LIGHT_GREY if place else BLUE
            chart.line(steps[seen].tolist(), gaps[steps][seen].tolist(), colour)
            drawn += 1
    return notebook.image(chart.png(), "loss curves; the best in blue") if drawn else ""
