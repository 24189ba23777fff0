"""The tables of a comparison, with text cells for the terminal and the HTML report."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gdexp.comparison.comparison import Comparison
from gdexp.comparison.distance import OTHER_SHAPE
from gdexp.comparison.formatting import brief, mark, short_key
from gdexp.descent import SECONDS
from gdexp.runs import TrackedRun

SIDE_BY_SIDE = 4
"""Up to so many runs of a list get a column each; more get a row each."""

HEADINGS = {
    "iterations": "iterations",
    "hitting_time": "hitting time",
    "final_loss": "final loss",
    "min_loss": "min loss",
    "max_loss": "max loss",
    "seconds": "seconds",
    "loss_evaluations": "losses",
    "gradient_evaluations": "gradients",
}
FEWEST, AT_LEAST = "fewest of the traces", ">= "
"""The heading of what the traces that reach a threshold need, and the sign of a censored count."""

LARGEST_HEADING, MEAN_HEADING = "max |Δx|", "mean |Δx|"


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes:
        headings: the headings of the columns.
        rows: the cells of each row, one for each column.
        keep: headings of the columns that may be dropped, most important first; the others
            always stay.
        more: the number of rows that are not shown.
        dropped: headings of the columns that are not shown.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    keep: Sequence[str] = ()
    more: int = 0
    dropped: Sequence[str] = ()

    def fitted(self, width: int, gap: int = 2) -> Table:
        """Return the table without the columns for which the width is too small."""
        shown = list(self.headings)
        droppable = list(self.keep)
        while droppable and self._width(shown, gap) > width:
            shown.remove(droppable.pop())
        places = [self.headings.index(heading) for heading in shown]
        return replace(
            self,
            headings=shown,
            rows=[[row[i] for i in places] for row in self.rows],
            dropped=[heading for heading in self.headings if heading not in shown],
        )

    def _width(self, shown: Sequence[str], gap: int) -> int:
        total = -gap
        for heading in shown:
            i = self.headings.index(heading)
            total += gap + max([len(heading), *(len(row[i]) for row in self.rows)])
        return total


def differences_table(comparison: Comparison, most: int) -> Table:
    """Return what differs between the runs: a column for each of a few, else a row for each."""
    if comparison.sweep is None and 1 < len(comparison.runs) <= SIDE_BY_SIDE:
        return _side_by_side(comparison)
    names = _headings(comparison.params)
    further = [key for key in comparison.metrics if key not in HEADINGS]
    measured = [*further, *(key for key in HEADINGS if key in comparison.metrics)]
    trials = any(run.trial is not None for run in comparison.runs)
    columns: list[tuple[str, Any]] = [("run", lambda run: run.short)]
    if trials:
        columns.append(("trial", lambda run: "" if run.trial is None else str(run.trial)))
    columns += [(names[key], _param(key)) for key in comparison.params]
    if comparison.statuses_differ:
        columns.append(("status", lambda run: run.status))
    columns += [(HEADINGS.get(key, key), _metric(key)) for key in measured]
    if len(comparison.runs) > 1 and not all(d.missing for d in comparison.distances.values()):
        columns += [
            (LARGEST_HEADING, lambda run: _distance_cell(comparison, run, "largest")),
            (MEAN_HEADING, lambda run: _distance_cell(comparison, run, "mean")),
        ]
    shown = _shown_runs(comparison, most)
    headings = [heading for heading, _ in columns]
    wanted = ["iterations", "status", "final loss", LARGEST_HEADING, MEAN_HEADING, "hitting time"]
    wanted += [names[key] for key in comparison.params]
    firsts = [names[key] for key in list(comparison.params)[:4]]
    order = [*further[:1], *firsts, *further[1:], *[h for h in wanted if h not in firsts], "trial"]
    order += ["losses", "gradients", "min loss", "max loss", "seconds"]
    return Table(
        headings=headings,
        rows=[[cell(run) for _, cell in columns] for run in shown],
        keep=[heading for heading in order if heading in headings],
        more=len(comparison.runs) - len(shown),
    )


def threshold_table(comparison: Comparison, most: int, fraction: bool) -> Table:
    """Return the iterations of each run to each threshold, and how many runs reach it.

    Args:
        comparison: the compared runs.
        most: the most runs that get a row each.
        fraction: whether to add the continuous hitting time to the iterations.
    """
    marks = [mark(threshold) for threshold in comparison.thresholds]
    if comparison.sweep is None and len(comparison.runs) <= SIDE_BY_SIDE:
        rows = [
            [marks[i], *(_time_cell(comparison, run, i, fraction=True) for run in comparison.runs)]
            for i in range(len(marks))
        ]
        return Table(["threshold", *_ids(comparison.runs)], rows)
    shown = _shown_runs(comparison, most)
    places = range(len(marks))
    rows = [
        [FEWEST, *(_fewest_cell(comparison, threshold) for threshold in comparison.thresholds)],
        ["reached by", *(_reached_cell(comparison, i) for i in places)],
        *([r.short, *(_time_cell(comparison, r, i, fraction) for i in places)] for r in shown),
    ]
    return Table(["run", *marks], rows, keep=marks[::-1], more=len(comparison.runs) - len(shown))


def running_time_table(comparison: Comparison, most: int) -> Table | None:
    """Return the expected running time of each configuration with several seeds."""
    groups = list(comparison.seed_groups)[:most]
    if not groups:
        return None
    keys = [key for key in comparison.params if key != "seed"]
    names = _headings(keys)
    marks = [mark(threshold) for threshold in comparison.thresholds]
    rows = []
    for group in groups:
        chosen = [brief(group[0], key) for key in keys]
        times = [comparison.expected_time(group, t) for t in comparison.thresholds]
        bounds = [comparison.bound(t, group) is not None for t in comparison.thresholds]
        cells = [
            f"{AT_LEAST * is_bound}{t:,.4g}" if math.isfinite(t) else ""
            for t, is_bound in zip(times, bounds, strict=True)
        ]
        rows.append([*chosen, str(len(group)), *cells])
    # Params that only some runs have are the least important columns.
    shared = [key for key in keys if all(key in run.params for run in comparison.runs)]
    first = [names[key] for key in shared[:3]]
    rest = [names[key] for key in keys if names[key] not in first]
    return Table(
        [*(names[key] for key in keys), "seeds", *marks],
        rows,
        keep=[*first, "seeds", *marks[::-1], *rest],
        more=len(comparison.seed_groups) - len(groups),
    )


def _side_by_side(comparison: Comparison) -> Table:
    rows = [[key, *(brief(run, key) for run in comparison.runs)] for key in comparison.params]
    if comparison.statuses_differ:
        rows.append(["status", *(run.status for run in comparison.runs)])
    further = [key for key in comparison.metrics if key not in HEADINGS]
    rows += [
        [HEADINGS.get(key, key), *(_number(value) for value in comparison.metrics[key])]
        for key in [*further, *HEADINGS]
        if key in comparison.metrics
    ]
    for heading, which in ((LARGEST_HEADING, "largest"), (MEAN_HEADING, "mean")):
        rows.append([heading, *(_distance_cell(comparison, run, which) for run in comparison.runs)])
    return Table(["", *_ids(comparison.runs)], rows)


def _shown_runs(comparison: Comparison, most: int) -> Sequence[TrackedRun]:
    return comparison.runs if len(comparison.runs) <= most else comparison.ranked[:most]


def _ids(runs: Sequence[TrackedRun]) -> list[str]:
    """Return the short ids; the full id where two short ones are equal."""
    counted = Counter(run.short for run in runs)
    return [run.short if counted[run.short] == 1 else run.run_id for run in runs]


def _headings(keys: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Return a heading for each key: its last word, or the whole key if that is ambiguous."""
    taken = {*HEADINGS.values(), "run", "trial", "status", "seeds"}
    counts = Counter(short_key(key) for key in keys)
    return {
        key: short if counts[short] == 1 and short not in taken else key
        for key in keys
        for short in [short_key(key)]
    }


def _param(key: str) -> Any:  # noqa: ANN401
    return lambda run: brief(run, key)


def _metric(key: str) -> Any:  # noqa: ANN401
    return lambda run: _number(run.metrics.get(key))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= sys.float_info.max:  # MLflow stores inf as the largest double
        return "inf" if value > 0 else "-inf"
    if math.isfinite(value) and value == round(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.2f}" if 10 <= abs(value) < 1e6 else f"{value:.4g}"


def _distance_cell(comparison: Comparison, run: TrackedRun, which: str) -> str:
    found = comparison.distances[run.run_id]
    if run is comparison.reference:
        return "ref"
    if found.missing:
        return found.missing if found.missing == OTHER_SHAPE else ""
    value = float(getattr(found, which))
    return "not finite" if math.isnan(value) else f"{value:.3g}"


def _time_cell(comparison: Comparison, run: TrackedRun, place: int, fraction: bool) -> str:
    time = comparison.times[run.run_id][place]
    if time is None:
        return _missing_cell(comparison.bounds[run.run_id][place])
    count = _shown(comparison, time)
    return f"{count} ({time:.2f})" if fraction and time != comparison.rounded(time) else count


def _fewest_cell(comparison: Comparison, threshold: float) -> str:
    time = comparison.fewest(threshold)
    if time is None:
        return _missing_cell(comparison.bound(threshold))
    return _shown(comparison, time)


def _shown(comparison: Comparison, time: float) -> str:
    """Return a cost for a cell: a count, or seconds with three digits."""
    return f"{time:.3g}" if comparison.cost == SECONDS else f"{math.ceil(time):,}"


def _missing_cell(bound: float | None) -> str:
    """Return the cell of a threshold that no trace reaches: failed, or not continued."""
    if bound is None:
        return "-"
    return f"{AT_LEAST}{bound:,.0f}" if bound == round(bound) else f"{AT_LEAST}{bound:.3g}"


def _reached_cell(comparison: Comparison, place: int) -> str:
    reached = sum(times[place] is not None for times in comparison.times.values())
    return f"{reached:,}/{len(comparison.runs):,}"
