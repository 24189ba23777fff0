"""Equal values run once, and a study of 0.1.0 that lists them goes on with each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.sweeps.space.space import Space
from gdexp.sweeps.study.earlier_studies import continuing
from tests.sweeps.space.test_space import planned
from tests.sweeps.test_resume import finished

LINE = ["-m", "optimizer.lr=4,4.0,4e0,4.4", "seed=0,0", "sweep.cap=1"]


def rates(folder: Path, name: str) -> list[float]:
    return [trial.params["optimizer.lr"] for trial in finished(folder, name)]


@pytest.mark.slow
def test_each_point_runs_once_and_an_earlier_study_goes_on_as_it_began(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([*LINE, "sweep.name=new"]) == 0
    assert rates(here, "new") == [4, 4.4]
    with monkeypatch.context() as patched:  # as 0.1.0 made it: each value is a point
        listed = lambda plan, given: continuing(replace(plan.written, written=None), given)  # noqa: E731
        patched.setattr("gdexp.sweeps.own_application.continuing", listed)
        assert main([*LINE, "sweep.n_trials=5"]) == 0
    (name,) = {path.name for path in (here / "sweeps").iterdir()} - {"new"}
    assert main(LINE) == 0
    assert rates(here, name) == [4] * 6 + [4.4] * 2
    assert {path.name for path in (here / "sweeps").iterdir()} == {"new", name}


def test_a_plan_without_equal_values_has_no_other_form() -> None:
    plan = planned("+sweep=default", "optimizer.lr=1,2")
    assert plan.written is None
    assert continuing(plan) is plan
    repeated = planned("+sweep=default", "optimizer.lr=1,1.0,2").written
    assert repeated is not None
    assert repeated.space.size() is None  # the threshold is a range
    assert repeated.space.dimensions[0].choices == (1, 1.0, 2)
    definition = repeated.space.definition()
    assert Space.from_definition(definition, {}).definition() == definition
