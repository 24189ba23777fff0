"""Workers that are processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO, Any

from gdexp.core import GdexpError, StorageFailed, command_folder
from gdexp.sweeps.launchers.base import wait_for_end

WAIT_SECONDS = 0.02
"""Between two checks whether the processes have ended."""


class LocalWorkers:
    """Worker processes on this machine. If one is killed, the others go on.

    Args:
        config: the config of each worker.
        count: how many workers to start.
        threads: torch threads of each worker; None: torch's default.
        lock: file descriptor of the study's lock, inherited by each worker, so that the lock is
            held until the last one has ended.
    """

    def __init__(
        self, config: Mapping[str, Any], count: int, threads: int | None, lock: int | None
    ) -> None:
        order = json.dumps({"config": config, "threads": threads}) + "\n"
        self._stderr_files: list[IO[bytes]] = [
            tempfile.TemporaryFile()  # noqa: SIM115 (closed by `end`)
            for _ in range(count)
        ]
        self._processes = [_start(order, stderr, lock) for stderr in self._stderr_files]
        self._reported: set[int] = set()
        self._failure: Exception | None = None

    def ended(self) -> bool:
        """Return whether all processes have ended."""
        return all(process.poll() is not None for process in self._processes)

    def lost(self) -> list[str]:
        """Return a sentence for each process that a signal ended since the last call."""
        sentences = []
        for number, process in enumerate(self._processes):
            status = process.poll()
            if status is not None and status < 0 and number not in self._reported:
                self._reported.add(number)
                name = signal.Signals(-status).name
                sentences.append(
                    f"worker {number} was ended by {name}; others take over its trials"
                )
        return sentences

    def failure(self) -> Exception | None:
        """Return the first error that a process ended with."""
        return self._failure

    def end(self, soon: bool) -> None:
        """Wait for the processes, then send SIGTERM and at last SIGKILL to those that still run."""
        if not soon:
            wait_for_end(self, WAIT_SECONDS)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes:
                if process.poll() is None:
                    process.send_signal(number)
            wait_for_end(self, WAIT_SECONDS)
        for process, stderr in zip(self._processes, self._stderr_files, strict=True):
            if process.stdin is not None:
                process.stdin.close()
            # A signal is not a failure: `lost` reports it.
            if self._failure is None and 0 < process.wait() < 128:
                self._failure = _error(process.returncode, stderr)
            stderr.close()


def _start(order: str, stderr: IO[bytes], lock: int | None) -> subprocess.Popen[bytes]:
    """Start a worker process and send it its order."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gdexp.sweeps.launchers.worker_process"],
        cwd=command_folder(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        # Ctrl-C in a terminal then reaches the driver alone, which ends the workers.
        start_new_session=True,
        pass_fds=() if lock is None else (lock,),
    )
    if process.stdin is not None:
        process.stdin.write(order.encode())
        process.stdin.flush()
    return process


def _error(status: int, stderr: IO[bytes]) -> Exception:
    """Return the error of a worker process: the last line that it wrote to stderr."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    message = lines[-1] if lines else f"a worker ended with status {status}"
    return (StorageFailed if status == StorageFailed.exit_status else GdexpError)(message)


def threads_per_worker(workers: int, cores: int) -> int | None:
    """Return the number of torch threads with which the workers share a machine's cores.

    Args:
        workers: number of workers on the machine.
        cores: number of cores of the machine.

    Returns:
        None where `OMP_NUM_THREADS` gives the number.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return None
    return max(cores // workers, 1)
