"""Every sampler by name, by target and with options; continued exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gdexp import BadInput
from gdexp.cli.main import main
from gdexp.descent.stopping import Status
from gdexp.sweeps.sampling.samplers import CLASSES, Sampler, trial_seed
from gdexp.sweeps.study.trial_record import TrialRecord
from tests.support.names import SAMPLERS
from tests.sweeps.test_resume import check_whole, finished, told

pytestmark = pytest.mark.slow

SPACE = ["optimizer.lr=interval(0.5,12)", "problem.target=[0.5,2.0]", "stopping.max_iterations=200"]


@pytest.mark.parametrize("name", SAMPLERS)
def test_three_trials_and_four_more_are_seven_straight_with_every_sampler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    line = ["+sweep", "sweep.name=s", *SPACE, f"sweep.sampler={name}"]
    results = []
    for counts in ((3, 7), (7,)):
        folder = tmp_path / f"{len(counts)}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        for count in counts:
            status = main([*line, f"sweep.n_trials={count}"])
            ended = [TrialRecord.of(trial).status for trial in finished(folder)]
            assert len(ended) == count
            assert status == (0 if Status.CONVERGED in ended else 1)  # too large rates diverge
        check_whole(folder, 7)
        results.append(told(finished(folder)))
    assert results[0] == results[1]
    assert len({trial[0]["optimizer.lr"] for trial in results[0]}) > 5


def test_a_grid_continues_where_it_stopped(here: Path) -> None:
    line = ["-m", "+sweep=manual", "sweep.name=s", "optimizer.lr=0.5,1,2", "seed=range(0,2)"]
    for count in (2, 6):
        assert main([*line, f"sweep.n_trials={count}"]) == 0
    check_whole(here, 6)
    tried = [(t.params["optimizer.lr"], t.params["seed"]) for t in finished(here)]
    assert tried == [(lr, seed) for lr in (0.5, 1, 2) for seed in (0, 1)]


def test_a_sampler_with_options_of_its_own_runs(here: Path) -> None:
    options = "sweep.sampler={_target_: optuna.samplers.TPESampler, n_startup_trials: 2}"
    assert main(["+sweep", "sweep.name=s", *SPACE, options, "sweep.n_trials=4"]) == 0
    check_whole(here, 4)


@pytest.mark.parametrize(
    "given",
    ["tpe", {"name": "tpe", "n_startup_trials": 3},
     {"_target_": "optuna.samplers.CmaEsSampler", "n_startup_trials": 2}],
)  # fmt: skip
def test_a_sampler_is_remembered_as_it_is_read(given: Any) -> None:
    sampler = Sampler.parse(given)
    assert Sampler.parse(sampler.definition()) == sampler
    assert type(sampler.for_trial(0, 20)).__name__ == CLASSES[sampler.name]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("tpee", "did you mean tpe?"),
        (None, "choose from"),
        ({"name": "tpe", "n_startup_trial": 3}, "did you mean n_startup_trials?"),
        ({"name": "random", "seed": 3}, "random takes no options"),
        ({"name": "grid", "search_space": {}}, "takes no options"),
        ({"_target_": "os.system", "command": "true"}, "sampler._target_=os.system"),
        ({"_target_": "optuna.samplers.TPESample"}, "did you mean optuna.samplers.TPESampler?"),
        ({"options": 1}, "sampler.name"),
    ],
)
def test_a_sampler_that_is_not_there_is_refused(given: Any, words: str) -> None:
    with pytest.raises(BadInput) as error:
        Sampler.parse(given)
    assert words in str(error.value)


def test_every_trial_has_a_seed_of_its_own() -> None:
    seeds = {trial_seed(seed, n) for seed in range(10) for n in range(100)}
    assert len(seeds) == 1000
    assert trial_seed(3, 4) == trial_seed(3, 4)
