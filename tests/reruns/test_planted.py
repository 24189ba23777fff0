"""Planted differences: each is found, named, and ends with the exit status that goes with it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gdexp.experiment.provenance import ENVIRONMENT
from gdexp.reruns.export_folder import read_folder
from gdexp.reruns.reference import DamagedReference, Reference
from gdexp.reruns.replay import torch_threads
from gdexp.tracking.arrays import Array, decode_array, encode_array
from gdexp.tracking.record import MANIFEST, RunHeader, descent_record
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.store import Store
from tests.reruns.conftest import Ask
from tests.reruns.records import experiment, folder, reference, tampered
from tests.support.artifacts import run_folder
from tests.support.commands import gdexp

pytestmark = pytest.mark.slow

ITERATIONS = 19
"""Of the recorded descent, the notebook's problem from seed 0."""

Changes = dict[str, bytes | None]


@pytest.fixture(scope="module")
def recorded() -> Reference:
    """A descent as it was recorded; every test plants its difference in a copy."""
    made = reference(experiment())
    assert len(made.trace) == ITERATIONS + 1
    return made


def changed(recorded: Reference, name: str, change: Callable[[Array], Array]) -> Changes:
    """One of the arrays made another."""
    array = change(decode_array(recorded.files[f"{name}.npy"]).copy())
    return {f"{name}.npy": encode_array(array)}


def flipped(bit: int, at: int = 0) -> Callable[[Array], Array]:
    """One bit of one number the other way round, bit 0 being the last of its mantissa."""

    def change(array: Array) -> Array:
        bits = array.reshape(-1).view(f"u{array.itemsize}")
        bits[at] ^= bits.dtype.type(1 << bit)
        return array

    return change


def rewritten(recorded: Reference, before: str, after: str) -> Changes:
    """The config with other words in it."""
    text = recorded.files["config.yaml"].decode()
    assert before in text
    return {"config.yaml": text.replace(before, after).encode()}


def moved(recorded: Reference, **other: object) -> Changes:
    """The environment with other values, `a__b` standing for b in the group a."""
    known = json.loads(recorded.files[ENVIRONMENT])
    for key, value in other.items():
        group, _, name = key.partition("__")
        (known if not name else known[group])[name or group] = value
    return {ENVIRONMENT: json.dumps(known).encode()}


def test_one_flipped_bit_is_damage_where_the_manifest_tells(recorded: Reference, ask: Ask) -> None:
    tampered(folder(Path("run"), recorded), changed(recorded, "final", flipped(0)))
    said = ask("+rerun=./run", status=4)
    assert said.error == "./run: damaged reference: final.npy is not the file of its sha256"
    assert not said.out
    told = json.loads(ask("+rerun=./run", "rerun.format=json", status=4).raw)
    assert (told["verdict"], told["exit_status"]) == ("damaged reference", 4)
    assert "final.npy" in told["reasons"][0]


def test_one_flipped_bit_is_one_ulp_where_the_manifest_was_made_to_fit(
    recorded: Reference, ask: Ask
) -> None:
    place = folder(Path("run"), recorded)
    tampered(place, changed(recorded, "final", flipped(0, at=5)), seal=True)
    said = ask("+rerun=./run", "rerun.record=false", status=4)
    assert "verdict close: " in said.out
    assert "the final tensors differ in 1 of 9 numbers, first at [1, 2]" in said.out
    assert "at most 1 ulp" in said.out
    assert "nothing known: source, versions, threads and settings are the same" in said.out
    for accept, ulps, status in (("close", 1, 0), ("close", 0, 4), ("same outcome", 0, 0)):
        ask(
            "+rerun=./run",
            "rerun.record=false",
            f"rerun.accept={accept}",
            f"rerun.ulps={ulps}",
            status=status,
        )


PLANTED: dict[str, tuple[Callable[[Reference], Changes], str, list[str]]] = {
    "a low bit of one loss": (
        lambda r: changed(r, "trace", flipped(29, at=7)),
        "close",
        ["the losses differ first at iteration 7 (", "1 of 20 in all, at most 1 ulp"],
    ),
    "a bit below what float32 holds of one loss": (
        lambda r: changed(r, "trace", flipped(0, at=7)),
        "close",
        ["the losses differ first at iteration 7 (", "1 of 20 in all, at most 0 ulp"],
    ),
    "a high bit of one loss": (
        lambda r: changed(r, "trace", flipped(51, at=3)),
        "same outcome",
        ["the losses differ first at iteration 3 ("],
    ),
    "the sign of one number of the final tensor": (
        lambda r: changed(r, "final", flipped(31, at=8)),
        "same outcome",
        ["the final tensors differ in 1 of 9 numbers, first at [2, 2]"],
    ),
    "a loss that is no number": (
        lambda r: changed(r, "trace", lambda t: np.where(t == t[4], np.nan, t)),
        "same outcome",
        ["first at iteration 4 (nan there", "not a number on one side"],
    ),
    "a trace without its last loss": (
        lambda r: changed(r, "trace", lambda t: t[:-1]),
        "different",
        [
            "the reference made 18 iterations, the rerun 19",
            "the 19 losses that both have are bit for bit the same",
            "its trace.npy holds 18 iterations, its metric iterations says 19",
        ],
    ),
    "a trace with more losses": (
        lambda r: changed(r, "trace", lambda t: np.append(t, t[-1])),
        "different",
        ["the reference made 20 iterations, the rerun 19"],
    ),
    "a final tensor of float64": (
        lambda r: changed(r, "final", lambda x: x.astype(np.float64)),
        "same outcome",
        ["the final tensor is float64 in the reference, float32 in the rerun"],
    ),
    "a final tensor of another shape": (
        lambda r: changed(r, "final", lambda x: x.reshape(9)),
        "same outcome",
        ["the final tensor has shape (9,) in the reference, (3, 3) here"],
    ),
    "another start": (
        lambda r: changed(r, "initial", lambda x: x + np.float32(0.5)),
        "different",
        ["its config makes another start here than its initial.npy"],
    ),
    "another learning rate": (
        lambda r: rewritten(r, "lr: 1.0", "lr: 1.5"),
        "different",
        [
            "the reference made 19 iterations, the rerun 12",
            "its config.yaml is not the one that its tag gdexp.signature was made of",
            "its config.yaml says optimizer.lr=1.5, its params say 1.0",
        ],
    ),
    "float64 instead of float32": (
        lambda r: rewritten(r, "float32", "float64"),
        "same outcome",
        [
            "the final tensor is float32 in the reference, float64 in the rerun",
            "its config.yaml says dtype=float64, its params say float32",
        ],
    ),
    "another threshold": (
        lambda r: rewritten(r, "threshold: 1.0e-05", "threshold: 1.0e-06"),
        "different",
        ["the reference made 19 iterations, the rerun 2"],
    ),
    "another seed, which decides only what initial.npy holds": (
        lambda r: rewritten(r, "seed: 0", "seed: 1"),
        "identical",
        ["its config makes another start here than its initial.npy"],
    ),
    "another torch": (
        lambda r: moved(r, packages__torch="1.0"),
        "identical",
        ["although the version of torch: 1.0 there, "],
    ),
}
"""What is planted, with a manifest made to fit; the verdict; words of the output."""


@pytest.mark.parametrize("name", PLANTED)
def test_what_a_manifest_hides_is_found_by_the_bits(
    name: str, recorded: Reference, ask: Ask
) -> None:
    plant, verdict, words = PLANTED[name]
    place = tampered(folder(Path("run"), recorded), plant(recorded), seal=True)
    status = 0 if verdict == "identical" else 4
    said = ask(f"+rerun=./{place}", "rerun.record=false", status=status)
    assert f" verdict {verdict}: " in said.out
    for each in words:
        assert each in said.out
    assert max(map(len, said.raw.splitlines())) <= 80


@pytest.mark.parametrize("name", PLANTED)
def test_whatever_is_planted_the_manifest_tells(
    name: str, recorded: Reference, tmp_path: Path
) -> None:
    changes = PLANTED[name][0](recorded)
    place = tampered(folder(tmp_path / "run", recorded), changes)
    (file,) = changes
    with pytest.raises(
        DamagedReference, match=f"^run: damaged reference: {file} is not the file of its"
    ):
        read_folder(place, "run")


@pytest.mark.parametrize(
    ("name", "cut", "reason"),
    [
        ("trace.npy", -1, "does not hold the 20 numbers that its header promises"),
        ("final.npy", 40, "is no .npy file that gdexp writes"),
        ("initial.npy", 0, "is no .npy file that gdexp writes"),
        (ENVIRONMENT, 1, "Expecting"),
    ],
)
def test_a_truncated_file_cannot_be_used_even_where_its_sha256_fits(
    name: str, cut: int, reason: str, recorded: Reference, ask: Ask
) -> None:
    place = folder(Path("run"), recorded)
    tampered(place, {name: recorded.files[name][:cut]}, seal=True)
    said = ask("+rerun=./run", status=4)
    assert said.error.startswith(f"./run: its {name} cannot be used: ")
    assert reason in said.error


@pytest.mark.parametrize("name", ["final.npy", "config.yaml", ENVIRONMENT, "run.json", MANIFEST])
def test_a_file_that_is_gone_is_named(name: str, recorded: Reference, ask: Ask) -> None:
    tampered(folder(Path("run"), recorded), {name: None})
    assert name in ask("+rerun=./run", status=4).error


def test_another_thread_count_is_restored_or_else_named_first(
    here: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "broad.py").write_text("def wide(x):\n    return (x * x).sum()\n")
    monkeypatch.syspath_prepend(here)
    wide = {"name": "custom", "path": "broad.wide", "shape": [100_000]}
    made = experiment(problem=wide, optimizer__lr=0.1, stopping__max_iterations=10)
    before = torch.get_num_threads()
    with torch_threads(2):
        folder(Path("run"), reference(made))
    asked = ("+rerun=./run", "rerun.record=false", "trust=[broad.wide]")
    with torch_threads(1):
        said = ask(*asked)
        assert "alone, 2 threads, as there verdict identical" in said.out
        said = ask(*asked, "rerun.restore=false", status=4)
    assert "alone, 1 thread, there 2" in said.out
    assert "could be the thread count: 2 there, 1 here" in said.out
    assert torch.get_num_threads() == before


MINE = """
def bowl(x):
    scale = 2.0
    return scale * (x * x).sum()
"""


def test_a_changed_line_of_the_users_own_problem_is_quoted(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = here / "bowls.py"
    own.write_text(MINE)
    monkeypatch.syspath_prepend(here)
    made = experiment(
        problem={"name": "custom", "path": "bowls.bowl", "shape": [4]}, optimizer__lr=0.1
    )
    folder(here / "run", reference(made))
    sys.modules.pop("bowls")
    own.write_text(MINE.replace("2.0", "2.5"))
    # Python knows its cached code to be old by size and whole second, and both could be the same.
    os.utime(own, (own.stat().st_mtime + 10,) * 2)
    asked = ["+rerun=./run", "rerun.record=false", "trust=[bowls.bowl]"]
    said = gdexp(*asked, cwd=here, expect=4)
    words = " ".join(said.stdout.split())
    assert "the problem's own module bowls.py changed (- scale = 2.0; + scale = 2.5)" in words
    assert words.index("could be the problem's own module") > words.index("verdict different")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    place = tmp_path_factory.mktemp("store")
    return Store(TrackingSettings(f"sqlite:///{place}/mlflow.db"))


@pytest.fixture
def rerun(store: Store, ask: Ask) -> Ask:
    """`+rerun` of a run of the store."""
    return lambda *arguments, status=0: ask(
        *arguments, f"tracking.uri={store.settings.uri}", status=status
    )


def tracked(store: Store, *without: str) -> str:
    """The id of a tracked descent, some of its files gone."""
    made = experiment()
    run_id = store.start(RunHeader("one", "run"))
    store.finish(run_id, descent_record(made, made.run()))
    assert store.database is not None
    for name in without:
        (run_folder(store.database.parent, run_id) / name).unlink()
    return run_id


@pytest.mark.parametrize(
    "name", ["final.npy", "initial.npy", "trace.npy", "config.yaml", ENVIRONMENT]
)
def test_a_deleted_artifact_of_a_tracked_run_is_named(name: str, store: Store, rerun: Ask) -> None:
    run_id = tracked(store, name)
    said = rerun(f"+rerun={run_id}", status=4)
    assert said.error == f"run {run_id[:8]}: damaged reference: holds no {name}"


def test_a_deleted_manifest_leaves_nothing_that_proves_the_files(store: Store, rerun: Ask) -> None:
    said = rerun(f"+rerun={tracked(store, MANIFEST)}", status=4)
    assert "so its files cannot be checked" in said.error


def test_a_deleted_run_is_no_reference(store: Store, rerun: Ask) -> None:
    run_id = tracked(store)
    store.client.delete_run(run_id)
    for named in (run_id, run_id[:8]):
        assert "was deleted in MLflow" in rerun(f"+rerun={named}", status=3).error


def test_what_did_not_end_is_no_reference(store: Store, rerun: Ask) -> None:
    run_id = store.start(RunHeader("going", "run"))
    assert "is still running" in rerun(f"+rerun={run_id}", status=3).error
    told = json.loads(rerun(f"+rerun={run_id}", "rerun.format=json", status=3).raw)
    assert (told["verdict"], told["exit_status"]) == ("no reference", 3)
    store.abandon(run_id, "FAILED")
    assert "ended FAILED" in rerun(f"+rerun={run_id}", status=3).error
    sweep = store.start(RunHeader("empty", "sweep"))
    store.end(sweep, "FINISHED")
    assert "holds no trial" in rerun(f"+rerun={sweep}", status=3).error


def test_a_run_that_others_made_is_no_reference(store: Store, rerun: Ask) -> None:
    run_id = store.client.create_run(store.experiment_id).info.run_id
    store.client.set_terminated(run_id)
    assert "holds no descent of gdexp" in rerun(f"+rerun={run_id}", status=3).error


def test_an_unknown_id_is_bad_input_with_the_ids_there_are(store: Store, rerun: Ask) -> None:
    run_id = tracked(store)
    for named in ("ffffffff", "f" * 32, "nothing"):
        said = rerun(f"+rerun={named}", status=2).error
        assert named in said
        assert f"{run_id[:8]} (one)" in said
