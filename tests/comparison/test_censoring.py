"""A run that ended at its own threshold is censored beyond it, in every table and profile."""

from __future__ import annotations

import pytest

from gdexp import Runs, TrackedRun
from gdexp.comparison.comparison import Comparison
from gdexp.comparison.profile_charts import ecdf_chart
from gdexp.comparison.tables import running_time_table, threshold_table
from gdexp.comparison.tasks import Tasks
from tests.comparison.test_comparison import halving, run


def continued(number: int, factor: float, to: float, **params: object) -> TrackedRun:
    """Gaps factor^k until `to`, with the own threshold 1e-3."""
    gaps = [1.0]
    while gaps[-1] > to:
        gaps.append(gaps[-1] * factor)
    found = run(number, gaps, **{"stopping.continue_to": to, **params})
    own = next(k for k, gap in enumerate(gaps) if gap <= 1e-3)
    metrics = {**found.metrics, "iterations": float(own), "updates": float(len(gaps) - 1)}
    object.__setattr__(found, "metrics", metrics)
    return found


def test_a_run_says_where_it_failed_and_where_it_was_not_continued() -> None:
    short, failed, long = halving(1, 0.5), run(2, [1.0, 0.5, 0.4]), continued(3, 0.5, 1e-6)
    assert (short.iterations, short.at_least(1e-3), short.at_least(1e-4)) == (10, None, 11)
    assert short.at_least() is None
    assert failed.at_least(1e-4) is failed.hitting_time(1e-4) is None
    assert (long.iterations, long.updates) == (10, 20)
    assert (long.iterations_to(1e-6), long.at_least(1e-6), long.at_least(1e-7)) == (20, None, 21)
    assert long.hitting_time() == short.hitting_time()
    # A continuation that ended by itself has failed beyond.
    ended = continued(4, 0.5, 1e-6, **{"stopping.continue_to": 1e-9})
    assert ended.at_least(1e-7) is None


def test_the_table_has_bounds_in_place_of_failures_and_says_how_many_runs_reach() -> None:
    runs = Runs([halving(1, 0.5), halving(2, 0.4), run(3, [1.0, 0.5, 0.4])], sweep=halving(9, 0.5))
    rows = threshold_table(Comparison.of(runs, [1e-3, 1e-5]), 20, fraction=False).rows
    assert rows[0] == ["fewest of the traces", "8", ">= 9"]
    assert rows[1] == ["reached by", "2/3", "0/3"]
    assert sorted(row[2] for row in rows[2:]) == ["-", ">= 11", ">= 9"]
    few = threshold_table(Comparison.of(Runs(runs[:3]), [1e-3, 1e-5]), 20, fraction=False).rows
    assert few[1][1:] == [">= 11", ">= 9", "-"]


def test_the_expected_running_time_of_censored_seeds_is_a_bound() -> None:
    """Three seeds of 10 iterations, of which one goes on: at 1e-5 neither 10 nor 30."""
    seeds = [halving(0, 0.5, seed=0), halving(1, 0.5, seed=1), continued(2, 0.5, 1e-6, seed=2)]
    for each in seeds:  # so that they are one configuration
        object.__setattr__(each, "params", {**each.params, "stopping.continue_to": "1e-06"})
        each.__dict__.pop("values", None)
    for each in seeds[:2]:
        each.__dict__["goal"] = 1e-3
    found = Comparison.of(Runs(seeds), [1e-3, 1e-5])
    (group,) = found.seed_groups
    assert found.expected_time(group, 1e-3) == 10
    assert found.bound(1e-3, group) is None
    assert found.expected_time(group, 1e-5) == (11 + 11 + 17) / 3
    assert found.bound(1e-5, group) == 11
    table = running_time_table(found, 20)
    assert table is not None
    assert list(table.rows[0])[-2:] == ["10", ">= 13"]


def test_tasks_that_a_solver_was_not_continued_to_are_left_out_for_all() -> None:
    solvers = {"optimizer.name": "a"}, {"optimizer.name": "b"}
    both = [halving(1, 0.5, **solvers[0]), continued(2, 0.4, 1e-6, **solvers[1])]
    tasks = Tasks.of(Comparison.of(Runs(both), [1e-2, 1e-3, 1e-5]))
    assert [threshold for *_, threshold in tasks.tasks] == [1e-2, 1e-3]
    assert tasks.left_out == 1
    assert all(None not in times for times in tasks.times.values())
    chart = ecdf_chart(Comparison.of(Runs(both), [1e-2, 1e-3, 1e-5]))
    assert chart is not None
    assert "1 of 3 tasks are left out" in chart.note
    assert all(float(series.y[-1]) == 1 for series in chart.series)
    # A failure still counts as one, for it is an answer.
    failed = run(3, [1.0, 0.5, 0.4], **solvers[0])
    tasks = Tasks.of(Comparison.of(Runs([failed, both[1]]), [1e-2, 1e-3, 1e-5]))
    assert (tasks.left_out, tasks.times["a"]) == (0, [None] * 3)


def test_of_several_settings_a_censored_one_hides_only_what_it_could_better() -> None:
    """0.4 ends at 1e-3 after 8; 0.5 reaches 1e-5 after 17, 0.1 after 5."""
    slow = continued(1, 0.5, 1e-6, **{"optimizer.lr": 1})
    ends = halving(2, 0.4, **{"optimizer.lr": 2})
    fast = continued(3, 0.1, 1e-6, **{"optimizer.lr": 3})
    for runs, left_out in (([slow, ends], 1), ([slow, ends, fast], 0)):
        for each in runs:  # one solver with several settings
            each.__dict__["goal"] = 1e-3 if each is ends else 1e-6
        found = Comparison.of(Runs(runs), [1e-3, 1e-5])
        one = {"gd": found.ranked}
        found.__dict__["solvers"] = one
        tasks = Tasks.of(found)
        assert tasks.left_out == left_out
        if not left_out:
            assert tasks.times["gd"][1] == pytest.approx(5)
