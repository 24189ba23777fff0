"""What a dashboard shows of a study: names, plain attributes, values of one scale."""

from __future__ import annotations

import warnings
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from gdexp.descent import Status
from gdexp.sweeps.study.attributes import BASE, DEFINITION, PARENT
from gdexp.sweeps.study.study import open_storage, readable_study
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord

PENALTY = 1e6


def record(status: Status, hitting_time: float, **more: object) -> TrialRecord:
    converged = status is Status.CONVERGED
    return TrialRecord(
        "f" * 32, str(status), 30.0, hitting_time, 1e-6, 1e-5, (30,), int(converged), 0.0, (), 30,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def stored(path: Path, *records: TrialRecord, directions: tuple[str, ...] = ("minimize",)) -> None:
    """Store a study with these trials as a sweep does, and one trial of the user's own."""
    study = optuna.create_study(
        study_name="a", storage=open_storage(path), directions=list(directions)
    )
    study.set_user_attr(BASE, {"problem": {"name": "matrix"}, "optimizer": {"name": "gd"}})
    space = {"optimizer.lr": {"low": 0.1, "high": 5.0, "log": True}}
    study.set_user_attr(DEFINITION, {"sampler": "tpe", "space": space})
    study.set_user_attr(PARENT, "e" * 32)
    for each in records:
        values = list(each.told(len(directions)))
        study.add_trial(
            create_trial(
                params={"optimizer.lr": 1.0},
                distributions={"optimizer.lr": FloatDistribution(0.1, 5, log=True)},
                values=values,
                user_attrs={RECORD: each.as_attribute()},
            )
        )


def test_a_penalty_is_shown_at_twice_the_worst_that_converged(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    found = [
        record(Status.CONVERGED, 12.5),
        record(Status.DIVERGED, PENALTY),
        record(Status.CONVERGED, 40.0),
        record(Status.CAPPED, 55.0),
    ]
    stored(path, *found)
    before = path.read_bytes()
    view = readable_study(path)
    trials = view.get_all_trials(0)
    assert [trial.values for trial in trials] == [[12.5], [80.0], [40.0], [55.0]]
    assert trials[1].user_attrs == {
        "status": "diverged",
        "iterations": 30.0,
        "final_loss": 1e-6,
        "MLflow run": "f" * 32,
        "told to the sampler": "1e+06",
    }
    assert view.get_trial(1).values == [80.0]
    assert view.get_all_trials(0, states=(TrialState.FAIL,)) == []
    assert path.read_bytes() == before
    kept = open_storage(path).get_all_trials(0)
    assert [trial.values for trial in kept] == [[12.5], [PENALTY], [40.0], [55.0]]


def test_where_nothing_converged_the_values_stay(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    stored(path, record(Status.DIVERGED, PENALTY))
    assert readable_study(path).get_all_trials(0)[0].values == [PENALTY]


def test_objectives_have_names_and_the_study_words(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    stored(path, record(Status.CONVERGED, 12.5), directions=("minimize", "minimize"))
    view = readable_study(path)
    (shown,) = view.get_all_studies()
    assert (
        shown.user_attrs
        == view.get_study_user_attrs(0)
        == {
            "problem": "matrix",
            "optimizer": "gd",
            "sampler": "tpe",
            "space optimizer.lr": "log 0.1 … 5",
            "MLflow run": "e" * 32,
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = optuna.load_study(study_name="a", storage=view).metric_names
    assert names == ["hitting_time", "threshold"]


@pytest.mark.parametrize("largest", [False, True])
def test_a_value_without_a_number_is_shown_beside_the_others(tmp_path: Path, largest: bool) -> None:
    path = tmp_path / "study.journal"
    worst = float("-inf") if largest else float("inf")
    found = [
        record(Status.MAX_ITERATIONS, 9.0, values=(0.5,)),
        record(Status.DIVERGED, 9.0, values=(worst,), estimated=True),
    ]
    stored(path, *found, directions=("maximize" if largest else "minimize",))
    shown = readable_study(path).get_all_trials(0)
    assert [trial.values for trial in shown] == [[0.5], [0.0 if largest else 1.0]]
