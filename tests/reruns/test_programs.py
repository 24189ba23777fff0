"""Reruns of portable descents compute the stored program, whatever this machine would record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from gdexp.core import BadInput
from gdexp.engine import NotPortable, Plan
from gdexp.experiment.provenance import ENVIRONMENT
from gdexp.problems.matrix import Matrix
from gdexp.reruns.causes import find_causes
from gdexp.reruns.export_folder import read_folder
from gdexp.reruns.reference import DamagedReference, Reference
from gdexp.reruns.replay import Rerun, build_experiment, replay_descent, replay_descents
from gdexp.reruns.report import outcome_json, rerun_facts, summary_facts
from gdexp.reruns.verdict import Level
from tests.reruns.conftest import Ask
from tests.reruns.records import batch, experiment, folder, other, reference, tampered
from tests.support import names
from tests.support.commands import environment
from tests.support.long_form import share

PROGRAM = "program.z"


@pytest.fixture(scope="module")
def recorded() -> Reference:
    """The notebook's descent on the portable engine."""
    return reference(experiment(engine="portable"))


def rerun(found: Reference) -> Rerun:
    return replay_descent(found, build_experiment(found))


def digest(found: Reference) -> str:
    sha256 = found.environment["program"]
    assert isinstance(sha256, str)
    return sha256


def with_environment(found: Reference, change: Callable[[dict[str, Any]], object]) -> Reference:
    recorded = json.loads(found.files[ENVIRONMENT])
    change(recorded)
    return other(found, files={ENVIRONMENT: json.dumps(recorded).encode()})


def forbid_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a torch that records operations that have no portable form."""

    def refused(*_: object) -> Plan:
        raise NotPortable("aten::new has no portable form")

    monkeypatch.setattr("gdexp.descent.portable.choice.plan_for", refused)


def record_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a torch that records other operations of the same function."""

    def loss(problem: Matrix, x: torch.Tensor) -> torch.Tensor:
        assert problem.target is not None
        return ((x - problem.target) / 3).pow(2).sum()  # of nine numbers

    monkeypatch.setattr(Matrix, "loss", loss)


REPLAYED = [name for name in names.PROBLEMS if name != "factorization"]
DTYPES = ("float32", "float64")
CASES = [
    (name, dtype)
    for i, name in enumerate(REPLAYED)
    for dtype in (DTYPES[i % 2], DTYPES[1 - i % 2])[: share(2, 2)]
]
"""Each problem in one dtype; in the long form in both."""


@pytest.mark.slow
@pytest.mark.parametrize(("problem", "dtype"), CASES)
def test_every_problem_replays_without_its_recording(
    problem: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = ("gd", "momentum", "adam")[len(problem) % 3]
    made = reference(
        experiment(
            problem={"name": problem},
            optimizer={"name": rule, "lr": 0.01},
            stopping__max_iterations=6,
            dtype=dtype,
            engine="portable",
        )
    )
    forbid_recording(monkeypatch)
    again = rerun(made)
    assert again.verdict.level is Level.IDENTICAL
    assert again.result.engine == "portable"
    assert again.program is not None
    assert again.program.replayed
    assert "cannot be recorded here: aten::new has no portable form" in again.program.note


def test_another_recording_is_told_and_changes_no_bit(
    recorded: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_another(monkeypatch)
    fresh = experiment(engine="portable").run()
    assert fresh.trace.tobytes() != recorded.trace.tobytes()  # else this shows nothing
    there = with_environment(recorded, lambda each: each["packages"].update(torch="2.9.1"))
    again = rerun(there)
    assert again.verdict.level is Level.IDENTICAL
    assert not again.verdict.causes
    assert dict(rerun_facts(again))["program"] == (
        f"replayed as stored (sha256 {digest(recorded)[:8]}); recorded here, the loss with its "
        f"gradient would differ (torch 2.9.1 there, {version('torch')} here)"
    )
    assert outcome_json(again, "identical")["program"]["replayed"] is True


def test_the_same_recording_is_told_and_another_machine_is_no_cause(recorded: Reference) -> None:
    def elsewhere(each: dict[str, Any]) -> None:
        each |= {"processor": "another", "platform": "another", "python": "3.99"}
        each["packages"].update(torch="1.0", numpy="0.1")
        each["torch"].update(cpu_capability="NEON", threads=1)
        each["variables"] = {"ATEN_CPU_CAPABILITY": "default"}

    again = rerun(with_environment(recorded, elsewhere))
    assert again.verdict.level is Level.IDENTICAL
    assert again.verdict.causes == ()
    assert dict(rerun_facts(again))["program"] == (
        f"replayed as stored (sha256 {digest(recorded)[:8]}); recorded here it is the same"
    )
    torch_run = reference(experiment())
    assert "program" not in torch_run.environment
    assert PROGRAM not in torch_run.files
    again = rerun(with_environment(torch_run, elsewhere))
    assert again.program is None
    assert "the processor's instruction set" in " ".join(map(str, again.verdict.causes))


def test_gdexps_own_arithmetic_is_still_a_cause() -> None:
    there = {"program": "a" * 64, "numerics": 1, "processor": "x", "source": {"digest": "1"}}
    here = {"program": "a" * 64, "numerics": 2, "processor": "y", "source": {"digest": "2"}}
    assert [each.what for each in find_causes(there, here)] == [
        "the version of gdexp's arithmetic",
        "gdexp's own source changed",
    ]
    causes = find_causes(there, {**here, "program": "b" * 64})
    assert "the processor" in [each.what for each in causes]


def test_rows_of_a_batch_replay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [experiment(engine="portable", optimizer__lr=0.5 + 0.1 * i, seed=i) for i in range(3)]
    made = [
        reference(each, result, "batch") for each, result in zip(rows, batch(rows), strict=True)
    ]
    assert len({digest(each) for each in made}) == 1
    forbid_recording(monkeypatch)
    again = list(replay_descents([(each, build_experiment(each)) for each in made]))
    assert [each.verdict.level for each in again] == [Level.IDENTICAL] * 3
    facts = summary_facts(again)
    assert facts[1][0] == "programs"
    assert facts[1][1].startswith(f"3 replayed as stored (sha256 {digest(made[0])[:8]})")


def test_an_export_carries_the_program(
    recorded: Reference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(tmp_path / "one", recorded)
    assert f"| `{PROGRAM}` |" in (place / "README.md").read_text()
    moved = place.rename(tmp_path / "elsewhere")
    forbid_recording(monkeypatch)
    again = rerun(read_folder(moved, "elsewhere"))
    assert again.verdict.level is Level.IDENTICAL
    assert again.program is not None
    assert again.program.replayed


def flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


def test_a_file_that_is_not_the_manifests_is_named(recorded: Reference, tmp_path: Path) -> None:
    place = folder(tmp_path / "one", recorded)
    tampered(place, {PROGRAM: flipped(recorded.files[PROGRAM])})
    with pytest.raises(DamagedReference, match=f"{PROGRAM} is not the file of its sha256"):
        read_folder(place, "one")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({PROGRAM: None}, "its record holds no program.z"),
        ({PROGRAM: b"no program"}, "its program.z is not compressed as gdexp does it"),
    ],
)
def test_without_a_program_it_is_recorded_anew_and_said(
    changes: dict[str, bytes | None], said: str, recorded: Reference, tmp_path: Path
) -> None:
    place = tampered(folder(tmp_path / "one", recorded), changes, seal=True)
    again = rerun(read_folder(place, "one"))
    assert again.verdict.level is Level.IDENTICAL
    assert again.program is not None
    assert not again.program.replayed
    assert again.program.note == f"recorded anew: {said}"
    # It computed the program whose sha256 the record names: so a machine is no cause here too.
    assert again.result.program is not None
    assert again.result.program.sha256 == digest(recorded)


def test_a_record_that_names_no_program_is_recorded_anew(recorded: Reference) -> None:
    again = rerun(with_environment(recorded, lambda each: each.pop("program")))
    assert again.verdict.level is Level.IDENTICAL
    assert again.program is not None
    assert again.program.note == "recorded anew: its record names no program"


@pytest.mark.slow
def test_the_program_of_another_descent_is_not_used(recorded: Reference) -> None:
    def planted(values: dict[str, object]) -> Rerun:
        foreign = reference(experiment(engine="portable", **values))
        sha256 = digest(foreign)
        files = {PROGRAM: foreign.files[PROGRAM]}
        return rerun(
            with_environment(other(recorded, files=files), lambda each: each.update(program=sha256))
        )

    target = [[float(i + j) for i in range(3)] for j in range(3)]
    for values, said in [
        ({"optimizer__name": "momentum"}, "its program.z is one of momentum with other settings"),
        ({"dtype": "float64"}, "its program.z is one in float64"),
        ({"problem__target": target}, "its program.z is not the loss of its config here: its loss"),
    ]:
        again = planted(values)
        assert again.program is not None
        assert again.program.note.startswith(f"recorded anew: {said}")
        assert again.verdict.level is Level.IDENTICAL


def test_a_forged_outcome_with_the_program_that_gives_it_is_found(recorded: Reference) -> None:
    """A record and a program that agree with each other, but not with the config."""
    target = [[0.5] * 3] * 3
    forged = reference(experiment(engine="portable", problem__target=target))
    mixed = replace(forged, files={**forged.files, "config.yaml": recorded.files["config.yaml"]})
    again = rerun(mixed)
    assert again.verdict.level is not Level.IDENTICAL
    assert again.program is not None
    assert "is not the loss of its config here" in again.program.note


def test_where_nothing_can_be_recorded_anew_it_is_refused(
    recorded: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_recording(monkeypatch)
    with pytest.raises(BadInput, match="aten::new has no portable form"):
        build_experiment(with_environment(recorded, lambda each: each.pop("program")))


AGAIN = """
from pathlib import Path
from gdexp.reruns.export_folder import read_folder
from gdexp.reruns.replay import build_experiment, replay_descent

for place in sorted(Path().iterdir()):
    found = read_folder(place, place.name)
    made = replay_descent(found, build_experiment(found))
    print(made.verdict.level, made.program.replayed, *made.verdict.causes)
"""


@pytest.mark.slow
def test_another_instruction_set_changes_nothing(tmp_path: Path) -> None:
    """Torch's plain code makes other constants of the function problem than the host's own."""
    dtypes = DTYPES[: share(2, 2)]
    for dtype in dtypes:
        problem = {"name": "function", "points": 1000}
        made = experiment(
            problem=problem, stopping__max_iterations=20, dtype=dtype, engine="portable"
        )
        folder(tmp_path / dtype, reference(made))
    done = subprocess.run(
        [sys.executable, "-c", AGAIN],
        cwd=tmp_path,
        env={**environment(), "ATEN_CPU_CAPABILITY": "default"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["identical True"] * len(dtypes)


@pytest.mark.slow
def test_on_the_command_line(ask: Ask, here: Path) -> None:
    ask("engine=portable")
    (run,) = here.glob("mlartifacts/gdexp/*/artifacts")
    assert (run / PROGRAM).stat().st_size < 1_000
    assert "program replayed as stored (sha256 " in ask("+rerun").out
    run_id = run.parent.name
    ask(f"+export={run_id}", "export.folder=out")
    again = json.loads(ask("+rerun=./out", "rerun.format=json").raw)
    assert again["verdict"] == "identical"
    assert again["program"]["replayed"] is True
    content = (run / PROGRAM).read_bytes()
    (run / PROGRAM).write_bytes(flipped(content))
    said = ask(f"+rerun={run_id}", status=4).error
    assert f"{PROGRAM} is not the file of its sha256" in said
