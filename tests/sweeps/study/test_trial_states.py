"""Looking at a study again and again: every trial that counts is given once, however often."""

from __future__ import annotations

import optuna

from gdexp.sweeps.study.trial_states import Overview


def test_a_trial_that_an_unread_look_found_is_still_given_once() -> None:
    study = optuna.create_study()
    trials = [study.ask() for _ in range(4)]
    overview = Overview(study)
    study.tell(trials[2], 1.0)
    overview.look()
    study.tell(trials[0], 1.0)
    study.tell(trials[1], state=optuna.trial.TrialState.FAIL)
    overview.look()
    assert [trial.number for trial in overview.fresh()] == [2, 0]
    overview.look()
    assert overview.fresh() == []
    assert (overview.complete, overview.active) == (2, 3)
    study.tell(trials[3], 1.0)
    overview.look()
    assert [trial.number for trial in overview.fresh()] == [3]
