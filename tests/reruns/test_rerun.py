"""`+rerun` and `+export` as a user types them: runs, trials, sweeps, folders, and their records."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from gdexp import load_runs
from gdexp.cli.main import main
from gdexp.descent.stopping import Status
from gdexp.tracking.mlflow_ui.descriptions import NOTE_TAG
from gdexp.tracking.record import MANIFEST
from tests.reruns.conftest import Ask, Said
from tests.support.artifacts import run_folder

OF_OTHER_TESTS = [
    *(Status.BELOW_MINIMUM, Status.FAILED, Status.PRUNED),
    *(Status.PLATEAU, Status.OUT_OF_TIME, Status.MAX_EPOCHS, Status.FINISHED),
]
"""Ends of descents that are rerun in tests of their own."""

pytestmark = pytest.mark.slow

ENDS = {
    "converged": ["optimizer.lr=2"],
    "max_iterations": ["stopping.max_iterations=5"],
    "capped": ["stopping.cap=3"],
    "diverged": ["problem=hyperbola", "optimizer.lr=100"],
    "stalled": ["optimizer.lr=1e-30"],
}
SWEEP = [
    *("+sweep", "sweep.sampler=random", "sweep.n_trials=8", "problem=matyas"),
    *("optimizer.lr=interval(0.5,6)", "stopping.threshold=1e-4", "stopping.max_iterations=300"),
]
SEEDS = [
    *("+sweep", "sweep.sampler=random", "sweep.n_trials=3", "sweep.seeds=2"),
    *("stopping.threshold=1e-4", "optimizer.lr=interval(1,4)"),
]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a run for every way to end and two sweeps, each in an experiment of its own."""
    place = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{place}/mlflow.db"
    cases = {**{end: [*lines] for end, lines in ENDS.items()}, "sweep": SWEEP, "seeds": SEEDS}
    for name, lines in cases.items():
        storage = [f"sweep.storage={place}/{name}.journal"] if "+sweep" in lines else []
        kept = [f"tracking.uri={uri}", f"tracking.experiment={name}"]
        assert main([*lines, *storage, *kept]) == 0
    return uri


@pytest.fixture
def rerun(uri: str, ask: Ask) -> Ask:
    """`rerun("sweep", "+rerun", …)` asks for what is in that experiment."""

    def asked(experiment: str, *arguments: str, status: int = 0) -> Said:
        kept = (f"tracking.uri={uri}", f"tracking.experiment={experiment}")
        return ask(*arguments, *kept, status=status)

    return asked


@dataclass(frozen=True)
class Kept:
    """What MLflow knows of a run."""

    run_id: str
    tags: dict[str, str]
    home: Path

    @property
    def short(self) -> str:
        return self.run_id[:8]

    @property
    def parent(self) -> str | None:
        return self.tags.get("mlflow.parentRunId")


def runs(uri: str, experiment: str, kind: str) -> list[Kept]:
    """The runs of a kind, the oldest first."""
    client, folder = MlflowClient(uri), Path(uri.removeprefix("sqlite:///")).parent
    found = client.search_runs(
        [client.get_experiment_by_name(experiment).experiment_id],
        f"tags.`gdexp.kind` = '{kind}'",
        order_by=["attributes.start_time ASC"],
    )
    return [
        Kept(r.info.run_id, r.data.tags, run_folder(folder, r.info.run_id, experiment))
        for r in found
    ]


@pytest.mark.parametrize("end", ENDS)
def test_a_run_is_made_again_however_it_ended(end: str, uri: str, rerun: Ask) -> None:
    said = rerun(end, "+rerun", "rerun.record=false")
    assert f": {end} after " in said.out
    assert "verdict identical: " in said.out
    assert max(map(len, said.raw.splitlines())) <= 80
    assert set(ENDS) == set(Status) - set(OF_OTHER_TESTS)


def test_a_rerun_is_tracked_and_linked_to_its_reference(uri: str, rerun: Ask) -> None:
    (reference,) = load_runs(uri=uri, experiment="converged")[:1]
    told = json.loads(rerun("converged", f"+rerun={reference.short}", "rerun.format=json").raw)
    (made,) = load_runs(told["rerun"]["run_id"], uri=uri, experiment="converged")
    assert (made.kind, made.state, made.status) == ("rerun", "FINISHED", "converged")
    assert made.tags["gdexp.rerun_of"] == reference.run_id == told["reference"]["run_id"]
    assert made.tags["gdexp.rerun_verdict"] == "identical"
    assert made.tags["gdexp.signature"] == reference.tags["gdexp.signature"]
    assert made.trace.tobytes() == reference.trace.tobytes()
    assert f"+rerun={reference.run_id}" in made.tags[NOTE_TAG]
    verdict = json.loads(made.file_bytes("verdict.json", 1 << 20))
    verdict |= {"command": "rerun", "error": None, "rerun": None}
    assert verdict == {**told, "rerun": None}
    assert "verdict.json" in json.loads(made.file_bytes(MANIFEST, 1 << 20))
    again = rerun("converged", f"+rerun={made.run_id}", "rerun.record=false")
    assert "verdict identical" in again.out


def test_a_bare_rerun_takes_the_newest_run_that_is_no_rerun(uri: str, rerun: Ask) -> None:
    (reference,) = runs(uri, "capped", "run")
    rerun("capped", "+rerun")
    assert f"reference run {reference.short}: capped" in rerun("capped", "+rerun").out


def test_a_sweeps_id_stands_for_its_best_trial(uri: str, rerun: Ask) -> None:
    (sweep,) = runs(uri, "sweep", "sweep")
    best = sweep.tags["gdexp.best_run"]
    for named, which in (("+rerun", ", the newest here"), (f"+rerun={sweep.run_id}", "")):
        said = rerun("sweep", named, "rerun.record=false").out
        assert f"sweep {sweep.short}{which}, its best; rerun_all=true makes all" in said
        assert f"reference run {best[:8]}: converged" in said
        assert "in a batch, " in said
        assert "verdict identical" in said


def test_a_trial_is_made_again_by_its_own_id(uri: str, rerun: Ask) -> None:
    trial = runs(uri, "sweep", "trial")[3]
    said = rerun("sweep", f"+rerun={trial.run_id}", "rerun.record=false").out
    assert f"reference run {trial.short}: {trial.tags['gdexp.status']}" in said
    assert "verdict identical" in said


def test_all_trials_of_a_sweep_are_made_again_under_one_run(uri: str, rerun: Ask) -> None:
    (sweep,) = runs(uri, "sweep", "sweep")
    told = json.loads(rerun("sweep", "+rerun", "rerun_all=true", "rerun.format=json").raw)
    assert told["verdicts"] == {"identical": 8}
    assert told["exit_status"] == 0
    trials = {trial.run_id for trial in runs(uri, "sweep", "trial")}
    assert {each["reference"]["run_id"] for each in told["runs"]} == trials
    parent, *children = sorted(runs(uri, "sweep", "rerun"), key=lambda run: run.parent is not None)
    assert parent.tags["gdexp.rerun_of"] == sweep.run_id
    assert parent.tags["gdexp.rerun_verdict"] == "8 identical"
    assert {child.parent for child in children} == {parent.run_id}
    assert {child.tags["gdexp.rerun_of"] for child in children} == trials
    assert {child.run_id for child in children} == {
        each["rerun"]["run_id"] for each in told["runs"]
    }


def test_a_trial_of_several_seeds_stands_for_its_descents(uri: str, rerun: Ask) -> None:
    trial = runs(uri, "seeds", "trial")[0]
    said = rerun("seeds", f"+rerun={trial.run_id}", "rerun.record=false").out
    assert "verdicts 2 identical" in said
    said = rerun("seeds", "+rerun", "rerun_all=true", "rerun.record=false").out
    assert "verdicts 6 identical" in said


def test_one_damaged_trial_is_named_and_decides_the_status(uri: str, rerun: Ask) -> None:
    trial = runs(uri, "sweep", "trial")[5]
    final = trial.home / "final.npy"
    content = final.read_bytes()
    final.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        said = rerun("sweep", "+rerun", "rerun_all=true", "rerun.record=false", status=4).out
    finally:
        final.write_bytes(content)
    assert "verdicts 7 identical, 1 damaged reference" in said
    assert f"damaged reference run {trial.short}: damaged reference: final.npy is not" in said


def test_an_export_is_whole_and_goes_anywhere(uri: str, rerun: Ask, ask: Ask) -> None:
    (reference,) = runs(uri, "diverged", "run")
    said = rerun("diverged", f"+export={reference.short}")
    place = Path("export", reference.short)
    assert said.raw.splitlines()[-1] == f"python -m gdexp +rerun={place}"
    moved = Path("elsewhere")
    shutil.move(place, moved)
    assert "verdict identical" in ask("+rerun=./elsewhere", "rerun.record=false").out
    assert (moved / "final.npy").read_bytes() == (reference.home / "final.npy").read_bytes()
    listed = set(json.loads((moved / MANIFEST).read_text()))
    assert listed == {path.name for path in moved.iterdir()} - {MANIFEST}
    again = rerun("diverged", "+export", "export.folder=elsewhere", status=2)
    assert again.error == ("export.folder=elsewhere: is there already and not empty; name another")


def test_what_cannot_be_exported_says_why(uri: str, rerun: Ask) -> None:
    trial = runs(uri, "seeds", "trial")[0]
    assert (
        "stands for 2 runs; name one of "
        in rerun("seeds", f"+export={trial.run_id}", status=2).error
    )
    assert not Path("export").exists()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["+rerun=./nowhere"], "+rerun=./nowhere: no such folder"),
        (["+rerun=."], "+rerun=.: holds no run of gdexp: no manifest.json"),
        (["+rerun", "optimizer.lr=2"], "optimizer.lr=2: comes from the run itself"),
        (["+rerun", "rerun.format=xml"], "rerun.format=xml: "),
        (["+rerun", "rerun.accept=different"], "rerun.accept=different: "),
        (["+rerun", "rerun.ulps=-1"], "rerun.ulps=-1: "),
        (["+rerun", "rerun_all=true"], "rerun_all=true: needs a sweep"),
        (["+rerun", "trust=[1]"], "trust=[1]: must be a list of paths"),
        (["trust=[a.b]"], "trust"),
    ],
)
def test_what_cannot_be_meant_is_refused(typed: list[str], words: str, rerun: Ask) -> None:
    assert words in rerun("converged", *typed, status=2).error


def test_a_rerun_can_say_that_what_it_finds_is_good_enough(uri: str, rerun: Ask) -> None:
    said = rerun("converged", "+rerun", "rerun.accept=close", "rerun.record=false")
    assert "verdict identical" in said.out


def test_a_network_of_bfloat16_is_drawn_recorded_and_made_again(uri: str, rerun: Ask) -> None:
    rerun(
        "bfloat16",
        *("problem=function", "problem.hidden=[4]", "dtype=bfloat16"),
        *("optimizer.lr=0.1", "stopping.max_iterations=5"),
    )
    found = load_runs(uri=uri, experiment="bfloat16")
    assert found[0].file_bytes("curve.png", 1 << 20).startswith(b"\x89PNG")
    assert "verdict identical" in rerun("bfloat16", "+rerun", "rerun.record=false").out
