"""Commands of gdexp in children that are forked from a process which has imported everything.

A start of Python with torch, MLflow and Optuna takes some seconds; a child that is forked takes
none. Tests and benchmarks that end many commands in the middle could not be had otherwise.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("matplotlib.pyplot", "mlflow.store.tracking.sqlalchemy_store", "optuna.importance"),
    *("mlflow.store.tracking.rest_store", "sklearn.ensemble", "gdexp.comparison"),
    *(
        "gdexp.sweeps.driver",
        "gdexp.sweeps.worker.worker",
        "gdexp.cli.run",
        "gdexp.tracking.sql_writer",
    ),
)
"""What a command imports on its way."""

HANGS_SECONDS = 120.0
"""A command that has not ended after so long is killed: it hangs."""

LOOK_SECONDS = 0.01
"""Between two looks whether a command has ended."""

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
"""Environment variables that the commands get; the others could change what they do."""

GIVEN = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        status: its exit status; -N where signal N ended it.
        out: what it wrote to stdout.
        err: what it wrote to stderr.
        seconds: from its start to its end, or to when it was waited for and had ended.
    """

    status: int
    out: str
    err: str
    seconds: float


class Running:
    """A command that has been started.

    Attributes:
        pid: of its process.
    """

    def __init__(self, ready: Ready, pid: int, pipes: Sequence[int]) -> None:
        self.pid = pid
        self._ready, self._pipes = ready, pipes
        self._said = [b"" for _ in pipes]
        self._began = monotonic()

    def wait(self) -> Done:
        """Until it has ended, or hangs and is killed."""
        while (status := self._ready.ask({"ended": self.pid})) is None:
            if monotonic() - self._began > HANGS_SECONDS:
                os.kill(self.pid, signal.SIGKILL)
            self.said()
            sleep(LOOK_SECONDS)
        seconds = monotonic() - self._began
        out, err = self.said()
        for pipe in self._pipes:
            os.close(pipe)
        return Done(status, out, err, seconds)

    def said(self) -> tuple[str, str]:
        """What it has written to stdout and to stderr by now."""
        for number, pipe in enumerate(self._pipes):
            with suppress(BlockingIOError):  # nothing new
                while part := os.read(pipe, 65536):
                    self._said[number] += part
        out, err = (said.decode(errors="replace") for said in self._said)
        return out, err


class Ready(AbstractContextManager["Ready"]):
    """A process that is ready to run commands, several at once if need be.

    Args:
        folder: for the pipes through which the commands say what they say.
        prepare: `module:function` to be called in it once, before all commands.
    """

    def __init__(self, folder: Path, prepare: str = "") -> None:
        self._folder, self._prepare = folder, prepare
        self._count = itertools.count()
        self._lock = threading.Lock()

    def __enter__(self) -> Ready:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._prepare],
            cwd=ROOT,
            env={**kept, **GIVEN, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # what interrupts a test does not interrupt its commands
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()

    def start(
        self, *line: str, cwd: Path, before: str = "", given: Sequence[object] = ()
    ) -> Running:
        """Start `python -m gdexp LINE`.

        Args:
            line: the words of the command line.
            cwd: folder to run it in.
            before: `module:function` to be called in the child before the command.
            given: that function's arguments, as JSON can hold them.
        """
        # Pipes, not files: a test may forbid files to grow.
        said = [str(self._folder / f"{next(self._count):04}") for _ in range(2)]
        for name in said:
            os.mkfifo(name)
        pipes = [os.open(name, os.O_RDONLY | os.O_NONBLOCK) for name in said]
        order = {"line": line, "cwd": str(cwd), "said": said, "before": before}
        return Running(self, self.ask({**order, "given": list(given)}) or 0, pipes)

    def run(self, *line: str, cwd: Path, before: str = "", given: Sequence[object] = ()) -> Done:
        """The same, and wait for its end."""
        return self.start(*line, cwd=cwd, before=before, given=given).wait()

    def ask(self, asked: dict[str, Any]) -> int | None:
        """One answer of the process."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("there are no pipes to the ready process")
        with self._lock:
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the ready process ended with status {self._process.wait()}")
        found: int | None = json.loads(answer)
        return found


def _serve(prepare: str) -> None:
    """Carry out what comes on stdin, a line of JSON each."""
    with warnings.catch_warnings():  # of other people's modules
        warnings.simplefilter("ignore")
        for name in HEAVY:
            import_module(name)
    if prepare:
        _call(prepare, [])
    for line in sys.stdin:
        asked = json.loads(line)
        print(
            json.dumps(_ended(asked["ended"]) if "ended" in asked else _forked(asked)), flush=True
        )


def _ended(pid: int) -> int | None:
    """The exit status of a child; None while it runs."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _forked(order: dict[str, Any]) -> int:
    """The pid of a child that runs a command."""
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        for number, name in enumerate((os.devnull, *order["said"])):
            handle = os.open(name, os.O_WRONLY if number else os.O_RDONLY)
            os.dup2(handle, number)
            os.close(handle)
        # Objects for the new places: the old ones remember whether they could seek.
        sys.stdout, sys.stderr = (open(n, "w", closefd=False) for n in (1, 2))  # noqa: SIM115
        os.chdir(order["cwd"])
        if order["before"]:
            _call(order["before"], order["given"])
        from gdexp.cli.main import main

        status = main(order["line"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _call(place: str, given: Sequence[Any]) -> None:
    module, _, function = place.partition(":")
    getattr(import_module(module), function)(*given)


if __name__ == "__main__":
    _serve(sys.argv[1])
