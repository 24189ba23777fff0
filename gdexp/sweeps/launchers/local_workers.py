"""Workers that are processes of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gdexp.core import GdexpError, StorageFailed, command_folder
from gdexp.sweeps.launchers.base import wait_for_end

ORDER_VARIABLE = "GDEXP_WORKER_ORDER"
"""The environment variable with the file descriptor of a worker's order."""

WAIT_SECONDS = 0.02
"""Between two checks whether the processes have ended."""


@dataclass(frozen=True)
class WorkerCommand:
    """How a worker process is started.

    Attributes:
        words: of the command.
        order: what the worker is to do, one line that only it can read.
        variables: of its environment, beside those of this process. With `ORDER_VARIABLE` among
            them the order comes through a pipe of its own, and else through standard input.
        log: the file that takes its output; None: its last words are kept, and the rest is not.
    """

    words: Sequence[str]
    order: str
    variables: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None


def worker_command(order: Mapping[str, Any]) -> WorkerCommand:
    """Return what starts a worker of gdexp's own experiments."""
    words = [sys.executable, "-m", "gdexp.sweeps.launchers.worker_process"]
    return WorkerCommand(words, json.dumps(order) + "\n")


class LocalWorkers:
    """Worker processes on this machine. If one is killed, the others go on.

    Args:
        commands: one for each worker.
        lock: file descriptor of the study's lock, inherited by each worker, so that the lock is
            held until the last one has ended.
    """

    def __init__(self, commands: Sequence[WorkerCommand], lock: int | None) -> None:
        self._outputs: list[IO[bytes]] = [
            tempfile.TemporaryFile() if each.log is None else each.log.open("a+b")  # noqa: SIM115
            for each in commands  # closed by `end`
        ]
        started = zip(commands, self._outputs, strict=True)
        self._started = [_start(each, output, lock) for each, output in started]
        self._processes = [process for process, _ in self._started]
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
        for (process, orders), output in zip(self._started, self._outputs, strict=True):
            orders.close()
            # A signal is not a failure: `lost` reports it.
            if self._failure is None and 0 < process.wait() < 128:
                self._failure = _error(process.returncode, output)
            output.close()


def _start(
    command: WorkerCommand, output: IO[bytes], lock: int | None
) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    """Start a worker process and send it its order; return it and the open end of its orders."""
    reader, writer = os.pipe()
    apart = ORDER_VARIABLE in command.variables
    passed = [each for each in (lock, reader if apart else None) if each is not None]
    variables = {**os.environ, **command.variables}
    if apart:
        variables[ORDER_VARIABLE] = str(reader)
    process = subprocess.Popen(
        list(command.words),
        cwd=command_folder(),
        stdin=subprocess.DEVNULL if apart else reader,
        stdout=subprocess.DEVNULL if command.log is None else output,
        stderr=output,
        env=variables,
        # Ctrl-C in a terminal then reaches the driver alone, which ends the workers.
        start_new_session=True,
        pass_fds=passed,
    )
    os.close(reader)
    orders = os.fdopen(writer, "wb", buffering=0)
    orders.write(command.order.encode())
    return process, orders


def _error(status: int, output: IO[bytes]) -> Exception:
    """Return the error of a worker process: the last line that it wrote."""
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    message = lines[-1] if lines else f"a worker ended with status {status}"
    message = message.removeprefix("gdexp: error: ")  # the driver says that itself
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
