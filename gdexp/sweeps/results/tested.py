"""The winner of a sweep on held-out problems (`sweep.held_out`), shown apart from the trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rich.table import Table

from gdexp.core import csv_bytes
from gdexp.descent import Status
from gdexp.display import terminal
from gdexp.sweeps.means import LEAST, geometric_mean
from gdexp.sweeps.objective import HITTING_TIME
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import descent_keys
from gdexp.sweeps.results.best_known import BestKnown, best_known, mean_ratio
from gdexp.tracking import escape_markdown

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

COUNTS, COMPARED = ("iterations", "successes", "seeds"), ("best_known", "best_known_from", "ratio")
COLUMNS = ("problem", *COUNTS, "status", "at_least", *COMPARED)
HEADINGS = ("iterations", "best known", "from", "ratio", "ended")


@dataclass(frozen=True)
class TestedProblem:
    """The winner on one held-out problem.

    Attributes:
        problem: its name.
        iterations: all that were made over the successes; None without any.
        successes: descents that converged.
        seeds: all descents.
        status: converged if all are, else the first other.
        at_least: the fewest iterations that it can need, where all descents are censored.
        best: the best known iterations there; None where nothing is known.
    """

    __test__ = False

    problem: str
    iterations: float | None
    successes: int
    seeds: int
    status: str
    at_least: float | None = None
    best: BestKnown | None = None

    @property
    def best_known(self) -> float | None:
        """The best known iterations."""
        return None if self.best is None else self.best.count

    @property
    def best_known_from(self) -> str | None:
        """Where they are from."""
        return None if self.best is None else self.best.source

    @property
    def ratio(self) -> float | None:
        """The iterations over the best known ones."""
        if self.best is None or self.iterations is None:
            return None
        return self.best.ratio(self.iterations, LEAST)


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
    def mean_ratio(self) -> float | None:
        """The geometric mean of the ratios to the best known; None where one is missing."""
        return mean_ratio([each.ratio for each in self.rows])

    @property
    def text(self) -> str:
        """What is said of it."""
        count = len(self.rows)
        which = "problem that no trial ran on" if count == 1 else "problems that no trial ran on"
        if self.mean is None:
            missed = [each.problem for each in self.rows if each.iterations is None]
            return f"does not reach the threshold on {len(missed)} of {count} {which}"
        ratio = f"{self.mean_ratio:.4g} × the best known iterations, " if self.mean_ratio else ""
        mean = f"{ratio}{self.mean:,.6g} iterations"
        if count == 1:
            return f"{mean} on {count} {which}"
        return f"{mean} as the geometric mean{'s' if ratio else ''} over {count} {which}"


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
    counts_iterations = plan.objectives[0].kind == HITTING_TIME
    for problem in plan.held_out:
        keys = descent_keys([problem], range(seeds))
        known = descents.made([winner], keys)[winner.number]
        found = [] if known is None else [known[key] for key in keys]
        successes = sum(bool(each[1]) for each in found)
        others = [str(each[3]) for each in found if not each[1]]
        status = str(Status.FAILED) if known is None else (others or [str(Status.CONVERGED)])[0]
        spent = sum(int(each[0]) for each in found)
        count = spent / successes if successes else None
        own = None if count is None else BestKnown(count, f"trial {winner.number}")
        best = best_known(plan, problem, winner.params, None) if counts_iterations else None
        if best is not None and own is not None:
            best = min(best, own, key=lambda each: each.count)
        censored = not successes and not Status(status).hopeless
        at_least = spent / seeds + 1 if censored else None
        rows.append(TestedProblem(problem.name, count, successes, seeds, status, at_least, best))
    return Tested(winner.number, rows)


def tested_facts(found: Tested | None) -> list[tuple[str, str]]:
    """Return the line of the report."""
    return [] if found is None else [("held out", found.text)]


def tested_table(found: Tested) -> Table:
    """Return the table for the terminal."""
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("held-out problem")
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading == "ended" else "right")
    for each in found.rows:
        table.add_row(terminal.escape_text(each.problem), *_cells(each))
    return table


def tested_markdown(found: Tested | None) -> list[str]:
    """Return the same as lines of Markdown."""
    if found is None:
        return []
    return [
        f"On held-out problems, apart from the trials: {found.text}.",
        "",
        f"| {' | '.join(['held-out problem', *HEADINGS])} |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join([escape_markdown(e.problem), *_cells(e)])} |" for e in found.rows),
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
    means = {"mean": found.mean, "mean_ratio": found.mean_ratio}
    return {"trial": found.trial, **means, "text": found.text, "problems": rows}


def _cells(each: TestedProblem) -> list[str]:
    known = f"{each.best_known:,.6g}" if each.best_known is not None else "not known"
    ratio = f"{each.ratio:.4g}" if each.ratio is not None else ""
    return [_count(each), known, each.best_known_from or "", ratio, _ended(each)]


def _count(each: TestedProblem) -> str:
    if each.iterations is not None:
        return f"{each.iterations:,.6g}"
    return "not reached" if each.at_least is None else f">= {each.at_least:,.6g} (censored)"


def _ended(each: TestedProblem) -> str:
    if each.seeds == 1 or each.successes == each.seeds:
        return each.status
    return f"{each.status}; {each.successes} of {each.seeds} converged"
