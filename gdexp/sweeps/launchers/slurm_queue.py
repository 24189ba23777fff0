"""SLURM's queue, asked with `squeue`: every cluster answers that, `sacct` only some."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection

from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

LOOK_SECONDS = 15
"""Between two looks, at most; the first ones follow each other faster."""

WAITING, RUNNING, GONE = "PENDING", "RUNNING", "GONE"
"""The states of a job, as far as they matter here."""


class SlurmQueue(SlurmInfoWatcher):
    """Which jobs wait or run: what submitit wants to know, without a word on the screen."""

    def __init__(self) -> None:
        super().__init__(delay_s=LOOK_SECONDS)

    @classmethod
    def watching(cls) -> SlurmQueue:
        """A new one, which all jobs handed in from now on are watched by."""
        SlurmJob.watcher = queue = cls()
        return queue

    def update(self) -> None:
        """Look at the queue; while it does not answer, what was known still holds."""
        self._last_status_check = time.time()
        lines = _asked("squeue", f"--user={os.getuid()}", "--noheader", "--array", "--format=%i %T")
        if lines is None:
            return
        there = dict(line.split(maxsplit=1) for line in lines)
        for job in self._registered:
            state = there.get(job, GONE)
            # Whatever else it is called: what the queue shows may go on.
            self._info_dict[job] = {"State": state if state in (WAITING, GONE) else RUNNING}

    def cancel(self, jobs: Collection[str], waiting: bool = False) -> None:
        """Take jobs out of the queue; those that run are told to go.

        Args:
            jobs: their ids.
            waiting: only those that have not begun, or wait to begin again.
        """
        if jobs:
            _asked("scancel", "--quiet", *(["--state=PENDING"] if waiting else []), *sorted(jobs))


def _asked(*command: str) -> list[str] | None:
    """The lines that a command of SLURM's prints; None where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.splitlines()
