"""The configs of a sweep: composed no more often than they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gdexp.cli.main import main
from gdexp.config.nested import lookup
from tests.sweeps.test_resume import finished, load

pytestmark = pytest.mark.slow

FEW = ["sweep.name=s", "sweep.n_trials=2", "stopping.max_iterations=200"]


@pytest.fixture
def compositions(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The overrides of each config that Hydra composes."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    made: list[list[str]] = []
    compose = ConfigLoaderImpl.load_configuration

    def counted(self: ConfigLoaderImpl, *arguments: Any, **named: Any) -> Any:
        made.append(named["overrides"])
        return compose(self, *arguments, **named)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    return made


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (["+sweep"], 1),
        # once with the ranges, and once without
        (["+sweep", "-m", "optimizer.lr=interval(1,2)"], 2),
        # once as a whole, and once without the inner key, to know the file's space
        (["+sweep", "optimizer.lr=2"], 2),
    ],
)
def test_a_sweep_composes_each_config_once(
    here: Path, compositions: list[list[str]], given: list[str], count: int
) -> None:
    assert main([*given, *FEW]) == 0
    assert len(compositions) == count, compositions
    assert len(finished(here)) == 2
    lr = lookup(load(here).user_attrs["gdexp.base"], "optimizer.lr")
    assert lr == (2 if "optimizer.lr=2" in given else 1)


def test_the_only_worker_is_a_job_of_hydras(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables are set, its folder is written, and it is told the values of the driver."""
    (here / "mine.py").write_text(
        "import os\n"
        "def loss(x):\n"
        "    with open('seen.txt', 'a') as seen:\n"
        "        seen.write(os.environ.get('OF_THE_JOB', 'none') + ' ')\n"
        "    return (x * x).sum()\n"
    )
    monkeypatch.syspath_prepend(here)
    own = ["problem=custom", "problem.path=mine.loss", "problem.x0=[1.0]", "engine=torch"]
    job = ["+hydra.job.env_set.OF_THE_JOB=set", "hydra.output_subdir=.hydra"]
    given = ["+sweep", *own, *job, *FEW, "stopping.threshold=1.5"]
    assert main(given) == 0
    assert set((here / "seen.txt").read_text().split()) == {"none", "set"}
    written = (here / ".hydra/overrides.yaml").read_text()
    assert "++sweep.name=s" in written
    assert "sweep" in (here / ".hydra/config.yaml").read_text()
