"""Edits of the user's own code and data between two starts, and while a sweep runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gdexp.core import BadInput
from gdexp.sweeps.study import StudyCode, had_other_code
from tests.support.commands import gdexp, one_error_line, start
from tests.support.user_problems import FILES, LINE, RATES, write_bowl

pytestmark = pytest.mark.slow

SWEEP = ("+sweep=manual", *LINE, RATES, "sweep.sampler=grid", "sweep.name=s")

EDITS = {
    "bowl.py": FILES["bowl.py"].replace("SCALE *", "2 * SCALE *"),
    "helper.py": FILES["helper.py"].replace("1.0", "2.00"),
    "late.py": "ONE = 2.00\n",
    "data.csv": "1.0,3.0",
}


def attributes(folder: Path, name: str = "s") -> dict[str, Any]:
    """The attributes of a study, as its journal has them."""
    found: dict[str, Any] = {}
    for line in (folder / f"sweeps/{name}/study.journal").read_text().splitlines():
        operation = json.loads(line)
        if operation["op_code"] == 2:
            found |= operation["user_attr"]
    return found


def tags(folder: Path, key: str) -> dict[str, str]:
    """A tag of the trials' runs, by the number of the trial."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    runs = client.search_runs(["1"], filter_string="tags.`gdexp.kind` = 'trial'")
    return {r.data.tags["gdexp.trial"]: r.data.tags[key] for r in runs if key in r.data.tags}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of which two of four trials are made."""
    folder = tmp_path_factory.mktemp("begun")
    write_bowl(folder)
    gdexp(*SWEEP, "sweep.n_trials=2", cwd=folder)
    return folder


def test_the_study_records_digests_and_no_path(begun: Path) -> None:
    found = attributes(begun)
    assert set(found["gdexp.code"]["files"]) == set(FILES)
    assert found["gdexp.code"]["changed"] == []
    assert str(begun) not in json.dumps(found)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_between_two_starts_is_refused_and_the_file_named(begun: Path, name: str) -> None:
    before = (begun / "sweeps/s/study.journal").read_bytes()
    write_bowl(begun)
    (begun / name).write_text(EDITS[name])
    said = one_error_line(gdexp(*SWEEP, cwd=begun, expect=2))
    assert said.startswith(f"sweep.name=s: {name} changed since this study began; ")
    assert "another sweep.name" in said
    assert "sweep.accept_changes=true" in said
    assert (begun / "sweeps/s/study.journal").read_bytes() == before


def test_an_accepted_edit_marks_the_trials_from_then_on(begun: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(begun, tmp_path / "copy")
    write_bowl(folder)
    for name in ("data.csv", "helper.py"):
        (folder / name).write_text(EDITS[name])
    done = gdexp(*SWEEP, "sweep.n_trials=3", "sweep.accept_changes=true", cwd=folder)
    assert "data.csv, helper.py changed since this study began" in done.stdout
    said = " ".join(done.stdout.split())
    assert "2 of 3 trials ran before data.csv, helper.py changed" in said
    best = re.search(r"best .*? \(trial (\d)", said)
    assert best is not None
    number = int(best[1])
    earlier = " the earlier data.csv, helper.py and" if number < 2 else ""
    assert f"repeat it with{earlier} python -m gdexp" in said
    gdexp(*SWEEP, cwd=folder)  # accepted once
    marked = dict.fromkeys(("2", "3"), "data.csv, helper.py")
    assert tags(folder, "gdexp.changed_code") == marked


class Files:
    """The user's files as a process loaded them."""

    def __init__(self, text: str) -> None:
        self.digests = {"loss.py": text}

    def here(self, name: str) -> str:
        return self.digests[name]


def trial_of(study: Any, text: str, *, refused: str = "") -> str | None:
    """Make a trial of a study with this text in the file; return what its start says."""
    settings = SimpleNamespace(accept_changes=not refused)
    plan: Any = SimpleNamespace(user_codes=lambda: [Files(text)], settings=settings, name="s")
    code = StudyCode(study, plan)
    if refused:
        with pytest.raises(BadInput, match=refused):
            code.begin()
        return None
    said = code.begin()
    trial = study.ask()
    for key, value in code.attributes().items():
        trial.set_user_attr(key, value)
    study.tell(trial, 1.0)
    return said


def others(study: Any) -> list[int]:
    """The trials that ran another text than the last one."""
    code = study.user_attrs["gdexp.code"]
    return [each.number for each in study.trials if had_other_code(code, each)]


def test_each_accepted_edit_is_a_version_and_an_old_text_is_the_version_it_was() -> None:
    import optuna

    study = optuna.create_study()
    assert trial_of(study, "a") is None
    assert trial_of(study, "b", refused="loss.py changed since this study began; ") is None
    assert "loss.py changed since this study began." in (trial_of(study, "b") or "")
    assert others(study) == [0]
    assert "loss.py changed since this study began." in (trial_of(study, "c") or "")
    assert others(study) == [0, 1]
    trial_of(study, "a", refused="loss.py changed after the trials that ran last; ")
    said = "loss.py: as when this study began; trials between are marked."
    assert trial_of(study, "a") == said
    assert others(study) == [1, 2]
    marked = [trial.user_attrs.get("gdexp.changed_code") for trial in study.trials]
    assert marked == [None, ["loss.py"], ["loss.py"], None]
    trial_of(study, "b")
    assert others(study) == [0, 2, 3]


def test_a_study_of_an_earlier_gdexp_goes_on_with_its_marks() -> None:
    import optuna

    study = optuna.create_study()
    study.set_user_attr("gdexp.code", {"files": {"loss.py": "b"}, "changed": ["loss.py"]})
    for attribute in (None, ["loss.py"]):
        trial = study.ask()
        if attribute:
            trial.set_user_attr("gdexp.changed_code", attribute)
        study.tell(trial, 1.0)
    assert others(study) == [0]
    trial_of(study, "b")
    assert others(study) == [0]
    trial_of(study, "c")
    assert others(study) == [0, 1, 2]


@pytest.fixture
def world(here: Path) -> Path:
    write_bowl(here)
    return here


SLOW = FILES["bowl.py"].replace("import late\n", "import late, time\n        time.sleep(0.04)\n")


def wait_for_the_code(folder: Path) -> None:
    """Wait until the study of a sweep that runs has the digests of its code."""
    journal = folder / "sweeps/s/study.journal"
    while not (journal.exists() and "gdexp.code" in journal.read_text()):
        time.sleep(0.02)


def test_an_edit_while_the_sweep_runs_is_said_and_changes_nothing(world: Path) -> None:
    (world / "bowl.py").write_text(SLOW)
    going = start(*SWEEP, cwd=world)
    wait_for_the_code(world)
    (world / "helper.py").write_text(EDITS["helper.py"])
    done = going.wait()
    assert done.status == 0, done.err
    assert "helper.py: edited while the sweep ran" in done.out
    assert len(set(attributes(world)["gdexp.code"]["files"])) == len(FILES)
    losses = {number: tags(world, "gdexp.signature")[number] for number in "0123"}
    assert len({each.partition("-")[2] for each in losses.values()}) == 1


def test_an_interrupted_sweep_says_how_to_go_on_after_an_edit(world: Path) -> None:
    (world / "bowl.py").write_text(SLOW)
    going = start(*SWEEP, cwd=world)
    wait_for_the_code(world)
    (world / "helper.py").write_text(EDITS["helper.py"])
    os.kill(going.pid, signal.SIGINT)
    done = going.wait()
    said = " ".join(done.out.split())
    assert "the same command continues" not in said
    assert "helper.py was edited since: sweep.accept_changes=true continues" in said


def test_data_that_change_while_trials_read_them_end_the_sweep(world: Path) -> None:
    (world / "bowl.py").write_text(SLOW)
    one_by_one = ("sweep.sampler=tpe", "sweep.batch=1", "sweep.n_trials=12")
    begun = ("+sweep=manual", *LINE, RATES, "sweep.name=s", *one_by_one)
    going = start(*begun, cwd=world)
    wait_for_the_code(world)
    (world / "data.csv").write_text(EDITS["data.csv"])
    done = going.wait()
    assert done.status == 2
    assert "data.csv changed since this study began" in done.err


def test_a_worker_that_starts_with_other_code_refuses(world: Path) -> None:
    gdexp(*SWEEP, "sweep.n_trials=2", cwd=world)
    given = [str(world), [*LINE, RATES, "+sweep=manual"]]
    (world / "helper.py").write_text(EDITS["helper.py"])
    done = start("+problems", cwd=world, before=f"{__name__}:work", given=given).wait()
    assert "helper.py changed since this study began" in done.out, done.err


def work(folder: str, lines: list[str]) -> None:
    """Start a worker as a launcher does, in a process of its own."""
    from gdexp.core.errors import GdexpError
    from gdexp.sweeps.study.heartbeat import StartedBy
    from gdexp.sweeps.worker.run import run_worker
    from tests.support.commands import composed

    filled = ["sweep.name=s", f"sweep.storage={folder}/sweeps/s/study.journal"]
    plain = composed(*(line for line in lines if "choice" not in line), *filled)
    try:
        run_worker(plain, StartedBy.LAUNCHER)
    except GdexpError as error:
        print(error)


def test_other_code_is_not_reused_and_the_same_is(world: Path) -> None:
    line = ("+sweep=manual", *LINE, RATES, "sweep.sampler=grid", "sweep.reuse=true")
    gdexp(*line, "sweep.name=a", "sweep.n_trials=2", cwd=world)
    taken = gdexp(*line, "sweep.name=b", "sweep.n_trials=2", cwd=world).stdout
    assert "2 descents taken from earlier runs" in " ".join(taken.split())
    (world / "late.py").write_text(EDITS["late.py"])
    made = gdexp(*line, "sweep.name=c", "sweep.n_trials=2", cwd=world).stdout
    assert "taken from earlier runs" not in " ".join(made.split())
