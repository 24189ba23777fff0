"""The winner of a sweep on held-out problems (`sweep.held_out`), shown apart from the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rich.table import Table

from gdexp.core import csv_bytes
from gdexp.descent import Status
from gdexp.display import terminal
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import geometric_mean
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

COLUMNS = ("problem", "iterations", "successes", "seeds", "status")


@dataclass(frozen=True)
class TestedProblem:
    """The winner on one held-out problem.

    Attributes:
        problem: its name.
        iterations: all that were made over the successes; None without any.
        successes: descents that converged.
        seeds: all descents.
        status: converged if all are, else the first other.
    """

    __test__ = False

    problem: str
    iterations: float | None
    successes: int
    seeds: int
    status: str


@dataclass(frozen=True)
class Tested:
    """The winner on all of them.

    Attributes:
        trial: its number.
        rows: one for each problem.
    """

    __test__ = False

    trial: int
    rows: Sequence[TestedProblem]

    @property
    def mean(self) -> float | None:
        """The geometric mean of the counts; None where one of the problems is not solved."""
        counts = [each.iterations for each in self.rows if each.iterations is not None]
        return geometric_mean(counts) if len(counts) == len(self.rows) else None

    @property
    def text(self) -> str:
        """What is said of it."""
        count = len(self.rows)
        which = "problem that no trial ran on" if count == 1 else "problems that no trial ran on"
        if self.mean is None:
            missed = [each.problem for each in self.rows if each.iterations is None]
            return f"does not reach the threshold on {len(missed)} of {count} {which}"
        mean = f"{self.mean:,.6g} iterations"
        return (
            f"{mean} as the geometric mean over {count} {which}"
            if count > 1
            else (f"{mean} on {count} {which}")
        )


class HeldOut(Protocol):
    """Makes the descents on held-out problems, and keeps what is known of them."""

    def made(
        self, trials: Sequence[FrozenTrial], keys: Sequence[str]
    ) -> Mapping[int, Mapping[str, Sequence[Any]] | None]:
        """Return what is known of trials; descents that are not known are made."""


def tested(plan: Plan, winner: FrozenTrial, descents: HeldOut) -> Tested | None:
    """Return the winner on the held-out problems; None where none are named.

    Args:
        plan: of the sweep.
        winner: its best trial.
        descents: makes them.
    """
    if not plan.held_out:
        return None
    rows = []
    seeds = plan.settings.trial_seeds
    for problem in plan.held_out:
        keys = [f"{problem.digest}.{seed}" for seed in range(seeds)]
        known = descents.made([winner], keys)[winner.number]
        found = [] if known is None else [known[key] for key in keys]
        successes = sum(bool(each[1]) for each in found)
        others = [str(each[3]) for each in found if not each[1]]
        status = str(Status.FAILED) if known is None else (others or [str(Status.CONVERGED)])[0]
        spent = sum(int(each[0]) for each in found)
        count = spent / successes if successes else None
        rows.append(TestedProblem(problem.name, count, successes, seeds, status))
    return Tested(winner.number, rows)


def tested_facts(found: Tested | None) -> list[tuple[str, str]]:
    """Return the line of the report."""
    return [] if found is None else [("held out", found.text)]


def tested_table(found: Tested) -> Table:
    """Return the table for the terminal."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("held-out problem")
    table.add_column("iterations", justify="right")
    table.add_column("ended")
    for each in found.rows:
        table.add_row(terminal.escape_text(each.problem), _count(each), _ended(each))
    return table


def tested_markdown(found: Tested | None) -> list[str]:
    """Return the same as lines of Markdown."""
    if found is None:
        return []
    return [
        f"On held-out problems, apart from the trials: {found.text}.",
        "",
        "| held-out problem | iterations | ended |",
        "|---|---|---|",
        *(f"| {escape_markdown(e.problem)} | {_count(e)} | {_ended(e)} |" for e in found.rows),
        "",
    ]


def tested_csv(name: str, found: Tested | None) -> dict[str, bytes]:
    """Return the file of the held-out problems by this name; nothing where there are none."""
    if found is None:
        return {}
    rows = [[getattr(each, column) for column in COLUMNS] for each in found.rows]
    return {name: csv_bytes([list(COLUMNS), *rows])}


def tested_fields(found: Tested | None) -> dict[str, Any] | None:
    """Return the same as plain values."""
    if found is None:
        return None
    rows = [{column: getattr(each, column) for column in COLUMNS} for each in found.rows]
    return {"trial": found.trial, "mean": found.mean, "text": found.text, "problems": rows}


def _count(each: TestedProblem) -> str:
    return "not reached" if each.iterations is None else f"{each.iterations:,.6g}"


def _ended(each: TestedProblem) -> str:
    if each.seeds == 1 or each.successes == each.seeds:
        return each.status
    return f"{each.status}; {each.successes} of {each.seeds} converged"
