"""States of SLURM jobs, read from a `squeue` that the test writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.sweeps.launchers.slurm_queue import GONE, RUNNING, UNKNOWN, WAITING, SlurmQueue


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command; it fails until a test writes what it prints."""
    command = tmp_path / "squeue"
    command.write_text("#!/bin/sh\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return command


def test_a_job_is_done_only_when_the_queue_answers_without_it(squeue: Path) -> None:
    queue = SlurmQueue()
    assert queue.get_state("7_0") == UNKNOWN
    assert not queue.is_done("7_0", mode="cache")
    squeue.write_text("#!/bin/sh\necho '7_0 PENDING'\necho '7_1 COMPLETING'\n")
    queue.update()
    jobs = ("7_0", "7_1", "7_2")
    assert [queue.get_state(job, "cache") for job in jobs] == [WAITING, RUNNING, GONE]
    assert [queue.is_done(job, mode="cache") for job in jobs] == [False, False, True]
    squeue.write_text("#!/bin/sh\nexit 1\n")
    queue.update()
    assert [queue.get_state(job, "cache") for job in jobs] == [WAITING, RUNNING, GONE]
