"""The sampler that `auto` stands for, and that a study keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp import config
from gdexp.cli.main import main
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space.composition import compose_space
from tests.support.commands import composed
from tests.sweeps.test_resume import finished, load

RATE = "optimizer.lr=tag(log,interval(0.1,5))"


def sampler(*lines: str) -> str:
    def compose(given: list[str]) -> config.Config:
        return composed(lines[0], *given)

    return Plan.build(*compose_space(config.parse_overrides([*lines[1:]]), compose)).sampler.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("+sweep=default",), "learning_rate"),
        (("+sweep=default", "stopping.threshold=1e-5"), "learning_rate"),
        (("+sweep=fast",), "learning_rate"),
        (("+sweep=manual", RATE), "learning_rate"),
        (("+sweep=manual", "optimizer.lr=choice(0.1,1)"), "grid"),
        (("+sweep=pareto",), "tpe"),
        (("+sweep=default", "optimizer=momentum", "optimizer.momentum=interval(0,0.9)"), "tpe"),
        (("+sweep=default", "sweep.cost=seconds"), "tpe"),
        (("+sweep=default", "sweep.objective=best", "sweep.budget=50"), "tpe"),
        (("+sweep=default", "sweep.pruner=median"), "tpe"),
        (("+sweep=default", "experiment=digits"), "tpe"),
        (("+sweep=default", "sweep.race=true", "sweep.seeds=5"), "tpe"),
        (("+sweep=default", "sweep.sampler=random"), "random"),
    ],
)
def test_gdexps_own_sampler_is_taken_where_it_was_measured(
    here: Path, lines: tuple[str, ...], name: str
) -> None:
    assert sampler(*lines) == name


@pytest.mark.slow
def test_a_study_that_tpe_began_goes_on_with_tpe(here: Path) -> None:
    line = ["+sweep", "stopping.max_iterations=200"]
    assert main([*line, "sweep.sampler=tpe", "sweep.n_trials=11"]) == 0
    assert main([*line, "sweep.n_trials=13"]) == 0
    (folder,) = (here / "sweeps").iterdir()
    assert load(here, folder.name).user_attrs["gdexp.definition"]["sampler"] == "tpe"
    assert len(finished(here, folder.name)) == 13
