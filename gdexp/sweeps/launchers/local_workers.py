"""The workers of a sweep, seen from the driver: started, watched, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any

from gdexp.core import GdexpError, StorageFailed, here

END_SECONDS = 10.0
"""Workers that have nothing to do any more, or were told to go, have so long."""


class LocalWorkers:
    """Processes on this machine. One that is killed leaves the others at their work.

    Args:
        config: that each of them works by.
        count: how many.
        threads: that each of them computes with; None: what torch makes of the environment.
        lock: the study's lock file, open in each of them: held until the last one is gone.
    """

    def __init__(
        self, config: Mapping[str, Any], count: int, threads: int | None, lock: int | None
    ) -> None:
        order = json.dumps({"config": config, "threads": threads}) + "\n"
        self._complaints: list[IO[bytes]] = [
            tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
            for _ in range(count)
        ]
        self._processes = [self._start(order, said, lock) for said in self._complaints]
        self._noted: set[int] = set()
        self._failure: Exception | None = None

    def _start(self, order: str, said: IO[bytes], lock: int | None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "gdexp.sweeps.launchers.worker_process"],
            cwd=here(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            # Ctrl-C in a terminal goes to the driver alone, which then ends them in order.
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )
        if process.stdin is not None:
            process.stdin.write(order.encode())
            process.stdin.flush()
        return process

    def ended(self) -> bool:
        """Whether all processes have ended."""
        return all(process.poll() is not None for process in self._processes)

    def lost(self) -> list[str]:
        """Processes that a signal ended."""
        words = []
        for number, process in enumerate(self._processes):
            status = process.poll()
            if status is not None and status < 0 and number not in self._noted:
                self._noted.add(number)
                name = signal.Signals(-status).name
                words.append(f"worker {number} was ended by {name}; others take over its trials")
        return words

    def failure(self) -> Exception | None:
        """The first error that a process ended with."""
        return self._failure

    def end(self, soon: bool) -> None:
        """Send each process a signal, and another one where it does not go."""
        if not soon:
            self._wait()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                if process.poll() is None:
                    process.send_signal(number)
            self._wait()
        for process, said in zip(self._processes, self._complaints, strict=True):
            if process.stdin is not None:
                process.stdin.close()
            # Signals are not failures: of them `lost` tells.
            if self._failure is None and 0 < process.wait() < 128:
                self._failure = _complaint(process.returncode, said)
            said.close()

    def _wait(self) -> None:
        until = time.monotonic() + END_SECONDS
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.02)


def _complaint(status: int, said: IO[bytes]) -> Exception:
    """The error that a worker ended with, from its last words."""
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    message = lines[-1] if lines else f"a worker ended with status {status}"
    return (StorageFailed if status == StorageFailed.exit_status else GdexpError)(message)


def threads_per_worker(workers: int, cores: int) -> int | None:
    """How many threads a worker computes with, so that all of them share the cores of a machine.

    Args:
        workers: on this machine.
        cores: of this machine.

    Returns:
        None where the environment has a number for it.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return None
    return max(cores // workers, 1)
