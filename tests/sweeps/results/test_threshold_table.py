"""The table of thresholds says only what the traces show, and `any` only where it is proven."""

from __future__ import annotations

import io
import math

import optuna
import pytest
from rich.console import Console

from gdexp import GradientDescent, Matrix, Result, Stopping, descend
from gdexp.descent.cap import Cap
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.start_gaps import largest_start_gap
from gdexp.sweeps.results.threshold_table import (
    ThresholdRow,
    censoring_note,
    threshold_markdown,
    threshold_rows,
    threshold_table,
    thresholds_csv,
)
from gdexp.sweeps.study.trial_record import TrialRecord
from tests.sweeps.space.test_space import planned

LR = "optimizer.lr=choice(1,4.4,9.5)"


def rows(plan: Plan, results: list[Result]) -> list[ThresholdRow]:
    """The rows of a sweep of one seed with these descents."""
    space = plan.space.distributions
    trials = []
    for number, result in enumerate(results):
        found = optuna.trial.create_trial(
            value=0.0,
            params={"optimizer.lr": result.rule.lr},  # type: ignore[attr-defined]
            distributions={"optimizer.lr": space["optimizer.lr"]},
        )
        found.number = number
        trials.append(found)
    built = [TrialRecord.build(f"{i:032x}", [r], Cap(None), 1, [False]) for i, r in
             enumerate(results)]  # fmt: skip
    return threshold_rows(plan, trials, built)


def made(lr: float, until: Stopping) -> Result:
    return descend(Matrix(), GradientDescent(lr), until)


def printed(plan: Plan, found: list[ThresholdRow]) -> list[list[str]]:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(threshold_table(plan, found))
    return [line.split() for line in console.export_text().splitlines()]


def test_a_run_that_ended_at_its_own_threshold_is_no_failure() -> None:
    plan = planned("+sweep=default", LR, "stopping.threshold=1e-3")
    found = rows(plan, [made(1.0, Stopping(1e-3)), made(9.5, Stopping(1e-3))])
    lines = printed(plan, found)
    assert lines[0][1:5] == ["fewest", "of", "the", "traces"]
    assert lines[3] == ["1e-03", "10", "1", "1", "of", "2", "0", "(00000000)"]
    assert lines[4] == ["1e-04", ">=", "11", "(not", "continued)", "0", "of", "2"]
    note = censoring_note(plan, found)
    assert note is not None
    assert note.endswith("sweep.continue_to=1e-08 completes the table.")
    assert "| 0.0001 | >= 11 (not continued) | | 0 of 2 | |" in threshold_markdown(plan, found)
    assert thresholds_csv(plan, found).decode().splitlines()[4].endswith(",0,2,11")


def test_where_all_failed_it_says_so_and_recommends_nothing() -> None:
    plan = planned("+sweep=default", LR, "stopping.threshold=1e-3")
    found = rows(plan, [made(9.5, Stopping(1e-3)), made(1.0, Stopping(1e-3, 5))])
    assert printed(plan, found)[4][:3] == ["1e-04", "not", "reached"]
    assert censoring_note(plan, found) is None


def test_a_censored_trial_that_could_need_fewer_is_said_to_hide_the_answer() -> None:
    """lr 4.4 needs 2 for 1e-4 and was not continued; lr 1 was, with 19 for 1e-5."""
    plan = planned("+sweep=default", LR, "stopping.threshold=1e-3")
    short, long = made(4.4, Stopping(1e-2)), made(1.0, Stopping(1e-5))
    found = rows(plan, [short, long])
    row = found[4]
    assert (row.threshold, row.iterations, row.trial, row.reached) == (1e-5, 19, 1, 1)
    assert row.at_least == short.iterations + 1 < 19
    assert row.is_hidden
    assert censoring_note(plan, found) is not None
    # The true count is below the one shown, as the row says it may be.
    whole = made(4.4, Stopping(1e-5)).iterations
    assert row.at_least <= whole < row.iterations
    # A censored trial that has made as many iterations hides nothing.
    proven = rows(plan, [made(4.4, Stopping(1e-8)), made(1.0, Stopping(1e-2))])
    assert not any(each.is_hidden for each in proven)
    assert censoring_note(plan, proven) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "proven"),
    [
        # Of the starts of seeds 0 … 3, that of 0 and 3 are within 0.1.
        ([], True),
        (["seed=0,3"], True),
        (["seed=0,1"], False),
        (["sweep.seeds=2"], False),
        (["dtype=float32,float64"], True),
        (["problem.x0=[[1,1,1],[1,1,1],[1,1,1]],null"], False),
        (["seed=range(0,100000)"], False),
        (["problem=matrix,booth"], False),
    ],
    ids=str,
)
def test_any_is_said_only_where_every_start_in_the_space_is_within_the_threshold(
    more: list[str], proven: bool
) -> None:
    plan = planned("+sweep=default", LR, "stopping.threshold=1e-1", *more)
    assert (largest_start_gap(plan) <= 1e-1) == proven
    if not more:
        assert largest_start_gap(plan) == made(1.0, Stopping(0.1)).trace[0]
        (line,) = printed(plan, rows(plan, [made(1.0, Stopping(1e-1))]))[1:2]
        assert line[:3] == ["1e-01", "0", "any"]


@pytest.mark.slow
def test_a_start_that_is_not_within_the_threshold_for_every_seed_is_shown_as_it_is() -> None:
    """The start of one seed is within the threshold, that of another is not."""
    plan = planned("+sweep=default", LR, "stopping.threshold=1e-1", "seed=range(0,100000)")
    assert largest_start_gap(plan) == math.inf
    row = ThresholdRow(1e-1, 0, 3, "a" * 32, {"optimizer.lr": 4.4}, 1, 2)
    (line,) = printed(plan, [row])[1:2]
    assert line == ["1e-01", "0", "4.4", "1", "of", "2", "3", "(aaaaaaaa)"]
