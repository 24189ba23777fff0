"""Processes that share the missing cells of a benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from gdexp.core import GdexpError, StorageFailed, command_folder, signals
from gdexp.suite.cells import Cell

WAIT_SECONDS = 0.1
"""Between two looks at the processes."""

END_SECONDS = 10.0
"""After which a process that was asked to end is killed."""


def share(
    part: str,
    cells: Sequence[Cell],
    count: int,
    order: Mapping[str, Any],
    lock: int,
    look: Callable[[], None],
) -> None:
    """Let processes do cells; return when all of them have ended.

    A process that is killed leaves its cells missing. If this process ends, they end too.

    Args:
        part: rates or cells.
        cells: that are missing; every process gets whole functions.
        count: the most processes.
        order: what else a process is told.
        lock: the descriptor that holds the folder; they inherit it.
        look: called now and then.

    Raises:
        GdexpError: a process failed; its own message.
    """
    groups: dict[tuple[int, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.dimension, cell.function), []).append(cell)
    largest_first = sorted(groups, reverse=True)
    shares = [largest_first[i::count] for i in range(min(count, len(largest_first)))]
    processes: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
    try:
        for keys in shares:
            own = [list(cell) for key in keys for cell in groups[key]]
            processes.append(_start({**order, "part": part, "cells": own}, lock))
        while any(process.poll() is None for process, _ in processes):
            signals.check()
            look()
            time.sleep(WAIT_SECONDS)
    finally:
        _end([process for process, _ in processes])
    for process, stderr in processes:
        if 0 < process.returncode < 128:
            raise _error(process.returncode, stderr)
        stderr.close()


def _start(order: Mapping[str, Any], lock: int) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed when the process has ended)
    process = subprocess.Popen(
        [sys.executable, "-m", "gdexp.suite.worker_process"],
        cwd=command_folder(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
        pass_fds=(lock,),
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    return process, stderr


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    with signals.ending():
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()


def _error(status: int, stderr: IO[bytes]) -> GdexpError:
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    message = lines[-1] if lines else f"a worker ended with status {status}"
    return (StorageFailed if status == StorageFailed.exit_status else GdexpError)(message)
