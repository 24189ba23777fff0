"""The command in a run's description recreates its config, and nothing in it can be left out."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from gdexp import config, load_runs
from gdexp.config.overrides import overrides, shortest_command
from gdexp.tracking.mlflow_ui.descriptions import NOTE_TAG
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.reruns.conftest import Ask
from tests.support.commands import composed

pytestmark = pytest.mark.slow

MINE = """
from gdexp import Quadratic


def bowl(x):
    return (x * x).sum()


def scaled(scale=1.0, sizes=()):
    return Quadratic(spectrum=[scale, *sizes])
"""

CASES: dict[str, tuple[list[str], list[str]]] = {
    "the defaults": ([], []),
    "a default that is typed": (["optimizer.lr=1", "seed=0", "problem=matrix"], []),
    "two values": (["optimizer.lr=4.5", "seed=3"], ["optimizer.lr=4.5", "seed=3"]),
    "an experiment": (["experiment=notebook"], ["experiment=notebook"]),
    "most of an experiment's values": (
        ["problem=function", "optimizer=momentum", "optimizer.lr=0.2"],
        ["experiment=function", "stopping.threshold=1e-05"],
    ),
    "all of an experiment's values": (
        [
            *("problem=function", "optimizer=momentum", "optimizer.lr=0.2"),
            *("optimizer.momentum=0.9", "stopping.threshold=1e-4"),
        ],
        ["experiment=function"],
    ),
    "an experiment and more": (
        ["experiment=function", "seed=7", "problem.hidden=[4,4]"],
        ["experiment=function", "problem.hidden=[4,4]", "seed=7"],
    ),
    "an experiment that all but one value is taken back of": (
        ["experiment=autograd", "optimizer.lr=1"],
        ["problem=autograd"],
    ),
    "an experiment with another rule": (
        ["experiment=autograd", "optimizer=adam", "optimizer.lr=0.1"],
        ["problem=autograd", "optimizer=adam", "optimizer.lr=0.1"],
    ),
    "a schedule": (
        ["optimizer/schedule=cosine", "optimizer.schedule.steps=7"],
        ["optimizer/schedule=cosine", "optimizer.schedule.steps=7"],
    ),
    "lists": (
        ["problem.target=[[1,2.5],[-3,1e-7]]", "problem.x0=[[0,0],[0,0]]"],
        ["problem.target=[[1,2.5],[-3,1e-07]]", "problem.x0=[[0,0],[0,0]]"],
    ),
    "a schedule of lists": (
        [
            *("problem=matyas", "optimizer/schedule=inverse_eigenvalue"),
            "optimizer.schedule.eigenvalues=[0.04,1.0]",
        ],
        [
            *("problem=matyas", "optimizer/schedule=inverse_eigenvalue"),
            "optimizer.schedule.eigenvalues=[0.04,1.0]",
        ],
    ),
    "options of torch.optim": (
        ["optimizer=torch", "optimizer.options={momentum:0.9,nesterov:true}", "optimizer.lr=0.1"],
        ["optimizer=torch", "optimizer.lr=0.1", "optimizer.options={momentum:0.9,nesterov:true}"],
    ),
    "options one by one": (
        ["optimizer=torch", "+optimizer.options.momentum=0.9", "optimizer.lr=0.1"],
        ["optimizer=torch", "optimizer.lr=0.1", "optimizer.options={momentum:0.9}"],
    ),
    "a loss of one's own": (
        ["problem=custom", "problem.path=bowls.bowl", "problem.shape=[3]", "optimizer.lr=0.1"],
        ["problem=custom", "problem.path=bowls.bowl", "problem.shape=[3]", "optimizer.lr=0.1"],
    ),
    "a problem with arguments": (
        [
            *("problem=custom", "problem.path=bowls.scaled", "optimizer.lr=0.1"),
            "problem.arguments={scale:0.5,sizes:[0.25,1]}",
        ],
        [
            *("problem=custom", "problem.path=bowls.scaled"),
            *("problem.arguments={scale:0.5,sizes:[0.25,1]}", "optimizer.lr=0.1"),
        ],
    ),
    "a moved problem": (
        ["problem=quadratic", "problem.rotation_seed=3", "problem.shift=0.5", "dtype=float64"],
        ["problem=quadratic", "problem.rotation_seed=3", "problem.shift=0.5", "dtype=float64"],
    ),
    "every stopping rule": (
        ["stopping.threshold=1e-08", "stopping.max_iterations=500", "stopping.cap=20"],
        ["stopping.threshold=1e-08", "stopping.max_iterations=500", "stopping.cap=20"],
    ),
}
"""What is typed, and the overrides that say the same in the shortest way."""


@pytest.fixture(autouse=True)
def own(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "bowls.py").write_text(MINE)
    monkeypatch.syspath_prepend(here)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests, each of which has an experiment of its own there."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    Store(TrackingSettings(uri))
    return uri


def signature(lines: list[str]) -> str:
    return config.signature(composed(*lines))


@pytest.mark.parametrize("name", CASES)
def test_the_overrides_recreate_the_config_and_none_can_be_left_out(name: str) -> None:
    typed, shortest = CASES[name]
    wanted = composed(*typed)
    found = overrides(wanted)
    assert found == shortest
    command = shortest_command(wanted)
    assert shlex.split(command) == ["python", "-m", "gdexp", *found]
    assert signature(found) == config.signature(wanted)
    for left_out in found:
        rest = [line for line in found if line != left_out]
        try:
            other = signature(rest)
        except Exception:  # what chose the group was left out: then its keys cannot be composed
            continue
        assert other != config.signature(wanted), left_out


def told(note: str) -> list[str]:
    """The overrides of the command in a description."""
    (command,) = re.findall(r"Repeat it with\n\n    (.*)\n", note)
    return shlex.split(command)[3:]


@pytest.mark.parametrize(
    "name",
    [
        *("two values", "an experiment and more", "a schedule", "options of torch.optim"),
        *("a problem with arguments", "lists"),
    ],
)
def test_the_command_in_a_runs_description_makes_the_same_descent(
    name: str, ask: Ask, uri: str
) -> None:
    typed, shortest = CASES[name]
    limit = [] if any("max_iterations" in line for line in typed) else ["stopping.max_iterations=9"]
    experiment = name.replace(" ", "-")
    kept = (f"tracking.uri={uri}", f"tracking.experiment={experiment}")
    ask(*typed, *limit, *kept)
    (run,) = load_runs(uri=uri, experiment=experiment)
    repeated = told(run.tags[NOTE_TAG])
    # The engine as it was resolved: another version may resolve `auto` otherwise.
    engine = f"engine={run.tags['gdexp.engine']}"
    assert sorted(repeated) == sorted([*shortest, *limit, engine])
    ask(*repeated, *kept)
    found = load_runs(uri=uri, experiment=experiment)
    first, second = sorted(found, key=lambda each: each.started)
    assert first.tags["gdexp.signature"] == second.tags["gdexp.signature"]
    assert first.trace.tobytes() == second.trace.tobytes()
    environment = json.loads(first.file_bytes("environment.json", 1 << 20))
    assert environment["overrides"] == repeated


def test_a_trial_of_swept_groups_is_repeated_by_its_own_command(ask: Ask, uri: str) -> None:
    ask(
        *("+sweep=rules", "optimizer=choice(gd,momentum,adam)", "sweep.n_trials=6"),
        *("sweep.sampler=random", "problem=booth", "stopping.max_iterations=20"),
        *(f"tracking.uri={uri}", "tracking.experiment=swept"),
        status=1,  # nothing converges
    )
    runs = load_runs(uri=uri, experiment="swept")
    assert len({run.params["optimizer.name"] for run in runs}) > 1
    for run in runs:
        repeated = told(run.tags[NOTE_TAG])
        assert signature(repeated) == run.tags["gdexp.signature"]
        assert repeated[0] == "problem=booth"
