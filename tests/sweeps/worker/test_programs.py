"""The programs of a sweep's portable trials: stored once, before the runs that name them."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gdexp.cli.main import main
from gdexp.core import StorageFailed
from gdexp.runs.run_loader import load_runs
from gdexp.tracking.shard_folder import ShardFolder
from gdexp.tracking.store import Store

pytestmark = pytest.mark.slow

SWEEP = ["+sweep", "sweep.name=s", "engine=portable", "sweep.n_trials=4"]


def stored(folder: Path) -> list[Path]:
    return sorted(folder.glob("mlartifacts/gdexp/*/artifacts/programs/*"))


def named(artifacts: Any) -> str:
    """The sha256 that a record names."""
    sha256 = json.loads(artifacts["environment.json"])["program"]
    assert isinstance(sha256, str)
    return sha256


@pytest.mark.parametrize("children", [[], ["tracking.children=best:1"]])
def test_a_program_is_there_before_a_run_that_names_it(
    children: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def check(records: Sequence[Any]) -> None:
        for record in records:
            if "trace.npy" in record.artifacts:
                seen.append(named(record.artifacts))
                assert [path.name for path in stored(here)] == [f"{seen[-1]}.z"]

    write, shard = Store.write, ShardFolder.write

    def write_runs(store: Store, runs: Any, status: str = "FINISHED") -> None:
        check([record for _, record in runs])
        write(store, runs, status)

    def write_rows(folder: ShardFolder, rows: Any) -> None:
        check([row.record for row in rows])
        shard(folder, rows)

    monkeypatch.setattr(Store, "write", write_runs)
    monkeypatch.setattr(ShardFolder, "write", write_rows)
    assert main([*SWEEP, *children]) == 0
    assert len(seen) >= 4
    assert len(set(seen)) == 1
    (file,) = stored(here)
    assert file.stat().st_size < 1_000
    assert not list(here.glob("mlartifacts/gdexp/*/artifacts/program.z"))  # in no trial of its own


def test_a_sweep_that_was_killed_after_its_program_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def killed(store: Store, runs: Any, status: str = "FINISHED") -> None:
            if any("trace.npy" in record.artifacts for _, record in runs):
                raise StorageFailed("killed")

        patch.setattr(Store, "write", killed)
        assert main(SWEEP) != 0
    (file,) = stored(here)
    file.write_bytes(file.read_bytes()[:50])  # as a crash of the machine may leave it
    assert main(SWEEP) == 0
    assert [path.name for path in stored(here)] == [file.name]
    assert len([run for run in load_runs() if run.state == "FINISHED"]) == 4
    sha256 = hashlib.sha256(zlib.decompress(file.read_bytes())).hexdigest()
    assert file.stem == sha256


def test_trials_replay_their_program_and_an_altered_one_is_recorded_anew(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(SWEEP) == 0
    (file,) = stored(here)
    capsys.readouterr()
    assert main(["+rerun", "rerun_all=true"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "verdicts 4 identical" in said
    assert "programs 4 replayed as stored (sha256 " in said
    # The reruns are runs of their own, below one that holds the program for all.
    assert len(stored(here)) == 2
    content = file.read_bytes()
    file.write_bytes(content[:-9] + b"?" + content[-8:])
    for change, reason in [
        (lambda: None, f"programs/{file.name} is"),
        (file.unlink, f"no run above it holds programs/{file.name}"),
    ]:
        change()
        capsys.readouterr()
        assert main(["+rerun", "rerun.record=false"]) == 0
        said = "".join(capsys.readouterr().out.split())  # a long name is broken into lines
        assert "verdictidentical" in said
        assert f"program recorded anew: {reason}".replace(" ", "") in said


def test_a_reused_trial_keeps_its_program(here: Path) -> None:
    assert main([*SWEEP[:1], "sweep.name=a", *SWEEP[2:], "sweep.sampler=random"]) == 0
    again = ["sweep.name=b", "sweep.reuse=true", "sweep.sampler=random"]
    assert main([*SWEEP[:1], *again, *SWEEP[2:]]) == 0
    runs = list(load_runs())
    assert all("gdexp.reused_from" in run.tags for run in runs)
    assert {run.tags["gdexp.engine"] for run in runs} == {"portable"}
    assert len(stored(here)) == 2
    names = {named({"environment.json": run.file_bytes("environment.json", 10**6)}) for run in runs}
    assert names == {path.stem for path in stored(here)}


def test_without_sources_no_program_is_stored(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, "tracking.source=false"]) == 0
    assert not stored(here)
    capsys.readouterr()
    assert main(["+rerun", "rerun.record=false"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "verdict identical" in said
    assert "program recorded anew: " in said
