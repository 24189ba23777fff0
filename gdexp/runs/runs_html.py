"""Tracked runs as a notebook shows them: a table of the best, and their loss curves."""

from __future__ import annotations

from collections.abc import Sequence

from gdexp.descent import LOSS
from gdexp.display import BLUE, LIGHT_GREY, Chart, notebook
from gdexp.runs.artifact_reader import UnreadableRun
from gdexp.runs.tracked_run import TrackedRun

MOST = 10
"""The most runs that are shown."""

OUTCOME = ("iterations", "hitting_time", "final_loss")


def runs_html(title: str, best: Sequence[TrackedRun], left: int) -> str:
    """Return a table of runs with what differs among them, and their loss curves.

    Args:
        title: above the table.
        best: the best runs, the first of which is drawn in colour.
        left: runs that are not shown.
    """
    keys = [k for k in dict.fromkeys(k for r in best for k in r.params) if _differs(best, k)]
    headings = ["run", "status", *keys, *OUTCOME]
    rows = [
        [r.short, r.status or r.state, *(r.values.get(k) for k in keys), *_outcome(r)] for r in best
    ]
    more = f"<p>and {left:,} more, ranked lower</p>" if left else ""
    table = notebook.table(headings, rows, MOST)
    return notebook.heading(title) + table + more + _curves(best)


def _differs(runs: Sequence[TrackedRun], key: str) -> bool:
    return len({run.params.get(key) for run in runs}) > 1


def _outcome(run: TrackedRun) -> list[float | None]:
    return [run.metrics.get(name) for name in OUTCOME]


def _curves(runs: Sequence[TrackedRun]) -> str:
    """Return the loss curves, the best on top of the others."""
    chart = Chart(6.4, 3.2, x_label="iteration", y_label="loss - f*", y_log=True)
    drawn = False
    for place, run in reversed([*enumerate(runs)]):
        try:
            of_loss = run.metric == LOSS and not run.absolute
            colour = LIGHT_GREY if place else BLUE
            drawn |= of_loss and notebook.draw(chart, run.gaps, colour, log=True)
        except UnreadableRun:
            continue
    return notebook.image(chart.png(), "loss curves; the best in blue") if drawn else ""
