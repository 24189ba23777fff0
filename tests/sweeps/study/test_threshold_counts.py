"""A trial's counts at the usual thresholds: hits, failures, and what it was not continued to."""

from __future__ import annotations

import itertools
import json
from typing import Any

import optuna
import pytest

from gdexp import GradientDescent, Matrix, Result, Stopping, descend
from gdexp.descent.cap import Cap
from gdexp.descent.stopping import THRESHOLDS
from gdexp.sweeps.study.threshold_counts import of_earlier_version
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord

BEST = [descend(Matrix(), GradientDescent(4.4), Stopping(1e-3), seed=seed) for seed in range(3)]


def record(results: list[Result], seeds: int | None = None) -> TrialRecord:
    """The record of a trial with these descents, as the study gives it back."""
    seeds = len(results) if seeds is None else seeds
    built = TrialRecord.build("r", results, Cap(None), seeds, [False] * len(results))
    stored = json.loads(json.dumps(built.as_attribute()))
    again = TrialRecord.of(optuna.trial.create_trial(value=0.0, user_attrs={RECORD: stored}))
    assert again == built
    return again


def at(result: TrialRecord, threshold: float, seeds: int) -> tuple[float | None, float | None]:
    """The count of a trial at a threshold, and its bound."""
    hits, bounds = result.at_thresholds(seeds)
    place = THRESHOLDS.index(threshold)
    return hits[place], bounds[place]


def made(lr: float, until: Stopping, seed: int = 0) -> Result:
    return descend(Matrix(), GradientDescent(lr), until, seed=seed)


def test_one_seed_is_censored_where_it_was_ended_and_failed_where_it_could_not() -> None:
    converged = record([made(1.0, Stopping(1e-3))])
    assert at(converged, 1e-3, 1) == (10, None)
    assert at(converged, 1e-4, 1) == (None, 11)
    assert at(record([made(1.0, Stopping(1e-3, cap=4))]), 1e-3, 1) == (None, 5)
    for until, lr in ((Stopping(1e-3, 4), 1.0), (Stopping(1e-3), 9.5), (Stopping(1e-3), 1e-9)):
        assert at(record([made(lr, until)]), 1e-4, 1) == (None, None)


def test_a_continued_trace_answers_down_to_its_goal() -> None:
    continued = record([made(1.0, Stopping(1e-3, continue_to=1e-5))])
    assert continued.iterations == 10
    assert continued.trace_updates == continued.steps == 19
    assert at(continued, 1e-5, 1) == (19, None)
    assert at(continued, 1e-6, 1) == (None, 20)
    ended = record([made(1.0, Stopping(1e-3, 15, continue_to=1e-5))])
    assert at(ended, 1e-5, 1) == (None, None)  # it used all iterations: a failure


def test_a_count_of_two_that_was_not_continued_is_not_shown_as_six() -> None:
    """Three seeds with 2 iterations each; one of them happens to be within 1e-7 by then."""
    three = record([made(4.48, Stopping(1e-5), seed) for seed in (0, 1, 2)])
    assert len(set(three.counts)) == 1
    count = three.counts[0]
    places = [i for i, t in enumerate(THRESHOLDS) if t < 1e-5]
    hits, bounds = three.at_thresholds(3)
    for place in places:
        if hits[place] is None:
            assert count <= (bounds[place] or 0) <= count + 1
        else:
            assert hits[place] == count
    assert any(hits[place] is None for place in places)


def test_the_bound_of_several_seeds_is_reached_by_no_continuation() -> None:
    """Whatever the censored seeds would do, their expected running time is not below the bound."""
    results = [made(1.0, Stopping(1e-3), 0), made(4.0, Stopping(1e-4), 1), BEST[2]]
    short = record(results)
    for threshold in (1e-5, 1e-7):
        hit, bound = at(short, threshold, 3)
        assert hit is None
        assert bound is not None
        goes_on = [(r.updates + 1, True) for r in results] + [(40, True), (1000, False)]
        for futures in itertools.product(goes_on, repeat=3):
            spent = [max(n, r.updates + 1) for (n, _), r in zip(futures, results, strict=True)]
            successes = sum(success for _, success in futures)
            assert not successes or sum(spent) / successes >= bound


def test_seeds_that_did_not_run_censor_a_trial() -> None:
    assert at(record([BEST[0]], seeds=3), 1e-3, 3) == (None, BEST[0].iterations / 3)


EARLIER: dict[str, Any] = {
    "run_id": "r", "status": "converged", "iterations": 2.0, "hitting_time": 2.0,
    "final_loss": 1e-6, "threshold": 1e-5, "counts": [2, 2, 2], "successes": 3, "saved": 0.0,
    "steps": 6,
}  # fmt: skip


def test_what_earlier_versions_stored_is_read_and_set_right() -> None:
    """0.1.0 took censored seeds for failures: (2 + 2 + 2) / 1 at a threshold that one reached."""
    stored = {**EARLIER, "hits": [0, 1, 1, 2, 2, 3.0, 6.0, None]}
    old = TrialRecord.of(optuna.trial.create_trial(value=2.0, user_attrs={RECORD: stored}))
    assert (old.reused, old.trace_updates) == (0, 6)
    hits, bounds = old.at_thresholds(3)
    assert hits == (0, 1, 1, 2, 2, None, None, None)
    assert bounds == (None,) * 5 + (7 / 3, 8 / 3, 3.0)
    capped = TrialRecord.of(
        optuna.trial.create_trial(value=2.0, user_attrs={RECORD: {**stored, "saved": 3.0}})
    )
    assert capped.at_thresholds(3) == ((None,) * 8, (0.0,) * 8)


@pytest.mark.parametrize("threshold", [1e-2, 1e-5])
def test_earlier_records_say_what_new_ones_say(threshold: float) -> None:
    """From the stored sums alone follows which seeds were censored, and how far."""
    results = [made(lr, Stopping(threshold, 30), seed) for seed, lr in enumerate((4.4, 4.47, 1.0))]
    new = record(results)
    counts = [r.iterations for r in results]
    old_hits = []
    for tau in THRESHOLDS:
        reached = [k for r in results if (k := r.iterations_to(tau)) is not None]
        failed = [r.iterations for r in results if r.iterations_to(tau) is None]
        old_hits.append((sum(reached) + sum(failed)) / len(reached) if reached else None)
    found = of_earlier_version(tuple(old_hits), threshold, counts, new.successes, capped=False)
    assert found.hits == new.hits
    assert [b and pytest.approx(b) for b in found.bounds] == list(new.bounds or ())
