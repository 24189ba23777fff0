"""The tables of a comparison as plain text cells, for the terminal and the page alike."""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gdexp.comparison.comparison import OTHER_SHAPE, Comparison
from gdexp.comparison.formatting import brief, mark, short_key, text
from gdexp.config import shortest_command
from gdexp.core import BadInput
from gdexp.runs import TrackedRun, UnreadableRun
from gdexp.theory import distance

SIDE_BY_SIDE = 4
"""So many runs of a list stand beside each other; more stand below each other."""

MOST_NUMBERS = 256
"""Above so many numbers in x the closed forms would take longer than a person waits."""

NAME = re.compile(r"[A-Za-z0-9_-]+")

HEADINGS = {
    "iterations": "iterations",
    "hitting_time": "hitting time",
    "final_loss": "final loss",
    "min_loss": "min loss",
    "max_loss": "max loss",
    "seconds": "seconds",
}
LARGEST, MEAN = "max |Δx|", "mean |Δx|"


@dataclass(frozen=True)
class Table:
    """Cells with their headings.

    Attributes:
        headings: of the columns.
        rows: as many cells each.
        keep: columns in the order in which they are given up where there is no room: the last
            named goes first. Columns that are not named always stay.
        more: rows that are not shown.
        dropped: headings of columns that are not shown.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    keep: Sequence[str] = ()
    more: int = 0
    dropped: Sequence[str] = ()

    def fitted(self, width: int, gap: int = 2) -> Table:
        """The same without the columns for which there is no room."""
        shown = list(self.headings)
        by_need = list(self.keep)
        while by_need and self._width(shown, gap) > width:
            shown.remove(by_need.pop())
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


def summary_lines(comparison: Comparison) -> list[tuple[str, str]]:
    """The answer first: the best run, what it ran with, how it stands to theory, the counts."""
    counts = ", ".join(f"{count:,} {status}" for status, count in comparison.counts.items())
    runs = ("runs", f"{len(comparison.runs):,}: {counts}")
    winners = best_by_problem(comparison)
    if len(winners) > 1:
        return [*(("best", f"{name}: {_outcome(run)}") for name, run in winners.items()), runs]
    best = comparison.best
    said = [("best", _outcome(best))]
    keys = [key for key in comparison.params if key != "stopping.cap"]
    if "optimizer.lr" in best.params and "optimizer.lr" not in keys:
        keys.insert(0, "optimizer.lr")
    chosen = [f"{key} = {text(best.values.get(key))}" for key in keys[:6]]
    if chosen:
        said.append(("with", "\n".join(chosen)))
    said.append(runs)
    known = _theory(best)
    if known:
        said.append(("theory", known))
    return said


def best_by_problem(comparison: Comparison) -> dict[str, TrackedRun]:
    """The best run of each problem: the fewest iterations on one say nothing of another."""
    best: dict[str, TrackedRun] = {}
    for run in comparison.ranked:
        best.setdefault(comparison.problem_of[run.run_id], run)
    return best


def repeat_commands(comparison: Comparison) -> list[str]:
    """The commands that make the best run of each problem again, where they can be told."""
    found = [repeat_command(run) for run in best_by_problem(comparison).values()]
    return [command for command in found if command is not None]


def repeat_command(run: TrackedRun) -> str | None:
    """The command that makes a run again; None when its config is not one of gdexp's."""
    try:
        run.experiment()
        groups = [run.config[key] for key in ("problem", "optimizer", "stopping")]
        groups += [group["schedule"] for group in groups if "schedule" in group]
        # The names become parts of file names, so they must be plain words.
        if all(NAME.fullmatch(str(group.get("name", "default"))) for group in groups):
            return shortest_command(run.config)
    except (BadInput, UnreadableRun, AttributeError, TypeError):
        return None
    return None


def left_out_lines(comparison: Comparison, most: int = 3) -> list[str]:
    """A line for each reason why runs are not compared."""
    by_reason: dict[str, list[TrackedRun]] = {}
    for entry in comparison.left_out:
        by_reason.setdefault(entry.reason, []).append(entry.run)
    lines = []
    for reason, runs in by_reason.items():
        names = ", ".join(run.short for run in runs[:most])
        others = f" and {len(runs) - most:,} more" if len(runs) > most else ""
        lines.append(f"{names}{others}: {reason}")
    return lines


def differences_table(comparison: Comparison, most: int) -> Table:
    """What differs, and nothing else: of a few runs side by side, of many the best below."""
    if comparison.sweep is None and 1 < len(comparison.runs) <= SIDE_BY_SIDE:
        return _side_by_side(comparison)
    names = _headings(comparison.params)
    measured = [key for key in HEADINGS if key in comparison.metrics]
    trials = any(run.trial is not None for run in comparison.runs)
    columns: list[tuple[str, Any]] = [("run", lambda run: run.short)]
    if trials:
        columns.append(("trial", lambda run: "" if run.trial is None else str(run.trial)))
    columns += [(names[key], _param(key)) for key in comparison.params]
    if comparison.statuses_differ:
        columns.append(("status", lambda run: run.status))
    columns += [(HEADINGS[key], _metric(key)) for key in measured]
    if len(comparison.runs) > 1:
        columns += [
            (LARGEST, lambda run: _distance_cell(comparison, run, "largest")),
            (MEAN, lambda run: _distance_cell(comparison, run, "mean")),
        ]
    shown = _shown_runs(comparison, most)
    headings = [heading for heading, _ in columns]
    wanted = ["iterations", "status", "final loss", LARGEST, MEAN, "hitting time"]
    wanted += [names[key] for key in comparison.params]
    firsts = [names[key] for key in list(comparison.params)[:4]]
    order = [*firsts, *[h for h in wanted if h not in firsts], "trial"]
    order += ["min loss", "max loss", "seconds"]
    return Table(
        headings=headings,
        rows=[[cell(run) for _, cell in columns] for run in shown],
        keep=[heading for heading in order if heading in headings],
        more=len(comparison.runs) - len(shown),
    )


def threshold_table(comparison: Comparison, most: int, fraction: bool) -> Table:
    """When each run first met each threshold.

    Args:
        comparison: of what.
        most: runs shown when they stand below each other.
        fraction: whether the continuous hitting time stands beside the iterations.
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
        ["fewest", *(_fewest_cell(comparison, threshold) for threshold in comparison.thresholds)],
        *([r.short, *(_time_cell(comparison, r, i, fraction) for i in places)] for r in shown),
    ]
    return Table(["run", *marks], rows, keep=marks[::-1], more=len(comparison.runs) - len(shown))


def running_time_table(comparison: Comparison, most: int) -> Table | None:
    """The expected running time of each configuration that ran with several seeds."""
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
        cells = [f"{t:,.4g}" if math.isfinite(t) else "" for t in times]
        rows.append([*chosen, str(len(group)), *cells])
    # What only some of the rules or problems have tells least.
    shared = [key for key in keys if all(key in run.params for run in comparison.runs)]
    first = [names[key] for key in shared[:3]]
    rest = [names[key] for key in keys if names[key] not in first]
    return Table(
        [*(names[key] for key in keys), "seeds", *marks],
        rows,
        keep=[*first, "seeds", *marks[::-1], *rest],
        more=len(comparison.seed_groups) - len(groups),
    )


def _outcome(run: TrackedRun) -> str:
    steps = "1 iteration" if run.iterations == 1 else f"{run.iterations:,} iterations"
    trial = "" if run.trial is None else f"trial {run.trial}, "
    return f"{steps} ({trial}{run.status or 'status unknown'}, run {run.short})"


def _side_by_side(comparison: Comparison) -> Table:
    rows = [[key, *(brief(run, key) for run in comparison.runs)] for key in comparison.params]
    if comparison.statuses_differ:
        rows.append(["status", *(run.status for run in comparison.runs)])
    rows += [
        [HEADINGS[key], *(_number(value) for value in comparison.metrics[key])]
        for key in HEADINGS
        if key in comparison.metrics
    ]
    for heading, which in ((LARGEST, "largest"), (MEAN, "mean")):
        rows.append([heading, *(_distance_cell(comparison, run, which) for run in comparison.runs)])
    return Table(["", *_ids(comparison.runs)], rows)


def _shown_runs(comparison: Comparison, most: int) -> Sequence[TrackedRun]:
    return comparison.runs if len(comparison.runs) <= most else comparison.ranked[:most]


def _ids(runs: Sequence[TrackedRun]) -> list[str]:
    """Short ids, longer ones where two begin alike."""
    counted = Counter(run.short for run in runs)
    return [run.short if counted[run.short] == 1 else run.run_id for run in runs]


def _headings(keys: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """The last word of each key, the whole key where two would look alike."""
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
    if abs(value) >= sys.float_info.max:  # what MLflow makes of an infinite one
        return "inf" if value > 0 else "-inf"
    if math.isfinite(value) and value == round(value) and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:,.2f}" if 10 <= abs(value) < 1e6 else f"{value:.4g}"


def _distance_cell(comparison: Comparison, run: TrackedRun, which: str) -> str:
    found = comparison.distances[run.run_id]
    if run is comparison.reference:
        return "ref"
    if found.refused:
        return found.refused if found.refused == OTHER_SHAPE else ""
    value = float(getattr(found, which))
    return "not finite" if math.isnan(value) else f"{value:.3g}"


def _time_cell(comparison: Comparison, run: TrackedRun, place: int, fraction: bool) -> str:
    time = comparison.times[run.run_id][place]
    if time is None:
        return "-"
    count = f"{math.ceil(time):,}"
    return f"{count} ({time:.2f})" if fraction and time != math.ceil(time) else count


def _fewest_cell(comparison: Comparison, threshold: float) -> str:
    time = comparison.fewest(threshold)
    return "-" if time is None else f"{math.ceil(time):,}"


def _theory(best: TrackedRun) -> str:
    """How far the best run is from the best possible, where that is known in closed form."""
    try:
        if best.initial.size > MOST_NUMBERS or best.threshold is None:
            return ""
        import numpy as np
        import torch

        experiment = best.experiment()
        count = best.iterations if best.converged else None
        x0 = torch.from_numpy(np.array(best.initial))
        known = distance(experiment.problem, experiment.rule, best.threshold, count, x0)
    except (BadInput, UnreadableRun):
        return ""
    return "" if known is None else str(known)
