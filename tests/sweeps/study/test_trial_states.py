"""Looking at a study again and again: every trial that counts is given once, however often."""

from __future__ import annotations

import optuna

from gdexp.sweeps.study.trial_states import TrialStates


def test_a_trial_that_an_unread_look_found_is_still_given_once() -> None:
    study = optuna.create_study()
    trials = [study.ask() for _ in range(4)]
    states = TrialStates(study)
    study.tell(trials[2], 1.0)
    states.refresh()
    study.tell(trials[0], 1.0)
    study.tell(trials[1], state=optuna.trial.TrialState.FAIL)
    states.refresh()
    assert [trial.number for trial in states.newly_complete()] == [2, 0]
    states.refresh()
    assert states.newly_complete() == []
    assert (states.complete, states.active) == (2, 3)
    study.tell(trials[3], 1.0)
    states.refresh()
    assert [trial.number for trial in states.newly_complete()] == [3]
