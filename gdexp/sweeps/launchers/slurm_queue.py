"""The state of SLURM jobs, read with `squeue`: every cluster has it, `sacct` only some."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection

from gdexp.sweeps.launchers.submitit_internals import InfoWatcher

MIN_SECONDS, MAX_SECONDS = 2.0, 15.0
"""Between two calls of `squeue`: short at first, then half of the time since the start."""

WAITING, RUNNING, GONE, UNKNOWN = "PENDING", "RUNNING", "GONE", "UNKNOWN"
"""The states of a job that matter here; submitit takes all but GONE for not done."""


class SlurmQueue(InfoWatcher):
    """The queue of this user's jobs. It prints nothing.

    Attributes:
        max_seconds: the longest time between two calls of `squeue`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.max_seconds = MAX_SECONDS
        self._states: dict[str, str] | None = None
        self._start = time.monotonic()
        self._updated = float("-inf")

    def get_state(self, job_id: str, mode: str = "standard") -> str:
        """Return the state of a job; UNKNOWN until `squeue` has answered once.

        Args:
            job_id: the job.
            mode: `cache` for the last known state without a call of `squeue`.
        """
        now = time.monotonic()
        pause = min(self.max_seconds, max(MIN_SECONDS, (now - self._start) / 2))
        if mode != "cache" and now - self._updated > pause:
            self.update()
        return UNKNOWN if self._states is None else self._states.get(job_id, GONE)

    def update(self) -> None:
        """Call `squeue`; while it fails, the states stay as they are."""
        self._updated = time.monotonic()
        lines = _output(
            "squeue", f"--user={os.getuid()}", "--noheader", "--array", "--format=%i %T"
        )
        if lines is not None:
            listed = (line.split(maxsplit=1) for line in lines)
            # Any listed state but PENDING counts as running: the job may still go on.
            self._states = {job: WAITING if state == WAITING else RUNNING for job, state in listed}

    def cancel(self, jobs: Collection[str], waiting: bool = False) -> None:
        """Cancel jobs.

        Args:
            jobs: their ids.
            waiting: cancel only the jobs that wait for their start, or for another start.
        """
        if jobs:
            _output("scancel", "--quiet", *(["--state=PENDING"] if waiting else []), *sorted(jobs))


def _output(*command: str) -> list[str] | None:
    """Run a SLURM command and return the lines that it prints; None if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.splitlines()
