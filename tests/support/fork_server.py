"""Commands of gdexp in children that are forked from a process which has imported everything.

A start of Python with torch, MLflow and Optuna takes some seconds; a child that is forked takes
none. Tests and benchmarks of many commands would take hours otherwise.
"""

from __future__ import annotations

import atexit
import copy
import fcntl
import gc
import io
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, chdir, redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from runpy import run_module
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

ROOT = Path(__file__).parents[2]
IMPORTED = (
    *("matplotlib.pyplot", "mlflow.store.tracking.sqlalchemy_store", "optuna.importance"),
    *("mlflow.store.tracking.rest_store", "sklearn.ensemble", "gdexp.cli.main"),
    *("gdexp.cli.run", "gdexp.cli.rerun", "gdexp.cli.compare", "gdexp.cli.export"),
    *("gdexp.sweeps.driver", "gdexp.sweeps.worker.worker", "gdexp.tracking.sql_writer"),
    *("mlflow.cli", "mlflow.server", "uvicorn.main", "fastapi", "pydantic.v1", "mlflow.metrics"),
    *("gdexp.ui.server", "gdexp.ui.links", "gdexp.cli.inspect", "gdexp.cli.problems"),
    *("hydra", "sklearn.datasets", "llvmlite.binding", "PIL.ImageFont", "PIL.WebPImagePlugin"),
    *("PIL.ImageDraw", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin"),
    *("sqlalchemy.dialects.sqlite", "alembic.command", "rich.tree", "rich._emoji_codes"),
    *("gdexp.sweeps.sweep_configs", "gdexp.sweeps.study.journal_storage"),
    *("gdexp.sweeps.launchers.worker_job", "gdexp.sweeps.launchers.hydra_jobs"),
    *("torch._dynamo", "torch.profiler._cupti_monitor"),  # the first optimizer of torch does
)
"""What commands import on their way."""

OF_A_PROCESS = ("gdexp.core.", "gdexp.experiment.own_source", "gdexp.experiment.provenance")
"""The modules that remember facts of their process: source, environment, files."""

HANGS_SECONDS = 120.0
"""A command that has not ended after so long is killed: it hangs."""

POLL_SECONDS = 0.01
"""Between two questions whether a command has ended."""

KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR")
"""Environment variables that the commands get; the others could change what they do."""

GIVEN = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


@dataclass(frozen=True)
class CompletedCommand:
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


class RunningCommand:
    """A command that has been started.

    Attributes:
        pid: of its process.
        returncode: its exit status as `subprocess.Popen` has it; None until its end is seen.
    """

    def __init__(self, server: ForkServer, pid: int, pipes: Sequence[int]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server, self._pipes = server, list(pipes)
        self._written = [b"" for _ in pipes]
        self._began = monotonic()

    def wait(self, timeout: float = HANGS_SECONDS) -> CompletedCommand:
        """Wait until it has ended, or kill it where it hangs."""
        while self.poll() is None:
            if monotonic() - self._began > timeout:
                self.kill()
            self.written()
            sleep(POLL_SECONDS)
        seconds = monotonic() - self._began
        out, err = self.written()
        while self._pipes:
            os.close(self._pipes.pop())
        assert self.returncode is not None
        return CompletedCommand(self.returncode, out, err, seconds)

    def communicate(self, timeout: float = HANGS_SECONDS) -> tuple[str, str]:
        """Wait for its end; returns what it wrote to stdout and to stderr."""
        self._began = monotonic()
        done = self.wait(timeout)
        return done.out, done.err

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ask({"ended": self.pid})
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def written(self) -> tuple[str, str]:
        """What it has written to stdout and to stderr by now."""
        for number, pipe in enumerate(self._pipes):
            with suppress(BlockingIOError):  # nothing new
                while part := os.read(pipe, 65536):
                    self._written[number] += part
        out, err = (written.decode(errors="replace") for written in self._written)
        return out, err


class _Connection:
    """What is written to the process and read from it, in turns.

    A question that a signal interrupts ends the connection: its answer could still come, and would
    be taken for that to the next question. A process that was forked has a connection of its own.

    Args:
        connect: makes one.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._socket: socket.socket | None = None
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def ask(self, text: bytes, given: Sequence[int]) -> bytes:
        """The line that answers a line and descriptors; nothing where the process has ended."""
        with self._lock:
            if self._pid != os.getpid():
                self.close()
                self._pid = os.getpid()
            if self._socket is None:
                self._socket = self._connect()
            answer = b""
            try:
                sent = socket.send_fds(self._socket, [text], given)
                self._socket.sendall(text[sent:])
                while not answer.endswith(b"\n") and (part := self._socket.recv(100)):
                    answer += part
            except BaseException:
                self.close()
                raise
        return answer

    def close(self) -> None:
        """End it; the next question makes another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class ForkServer(AbstractContextManager["ForkServer"]):
    """A process that forks commands, several at once if need be.

    Args:
        folder: for the pipes through which the commands write.
        variables: environment variables beside `GIVEN`; only of a process of its own.
        address: the socket of a process that is there already; None: a process of its own.
        python: the interpreter of a process of its own.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        address: str | None = None,
        python: str = sys.executable,
    ) -> None:
        self._folder = folder
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._variables = {**kept, **GIVEN, "PYTHONPATH": str(ROOT), **(variables or {})}
        self._preparation: list[tuple[str, list[object]]] = []
        self._count = itertools.count()
        self._connection = _Connection(self._connect)
        self._process: subprocess.Popen[bytes] | None = None
        self.address = address
        self._python = python

    def __enter__(self) -> ForkServer:
        if self.address is None:
            self.address = str(self._folder / "fork_server")
            self._process = subprocess.Popen(
                [self._python, __file__, self.address],
                cwd=ROOT,
                env=self._variables,
                stdin=subprocess.PIPE,  # its end tells the process to end
                start_new_session=True,  # what interrupts a test does not interrupt its commands
            )
        return self

    def __exit__(self, *ended: object) -> None:
        self._connection.close()
        if self._process is not None:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait()

    def _connect(self) -> socket.socket:
        """A new connection to the process; waits until the process listens."""
        assert self.address is not None, "not started"
        while True:
            made = socket.socket(socket.AF_UNIX)
            with suppress(OSError):
                made.connect(self.address)
                return made
            made.close()
            if self._process is not None and self._process.poll() is not None:
                raise RuntimeError(f"the fork server ended with status {self._process.returncode}")
            sleep(POLL_SECONDS)

    def preparing(self, function: str, *given: object) -> ForkServer:
        """The same process, with a function that every command's child calls first.

        Args:
            function: `module:function`.
            given: its arguments, as JSON can hold them.
        """
        server = copy.copy(self)
        server._preparation = [*self._preparation, (function, list(given))]
        return server

    def start(
        self,
        *line: str,
        cwd: Path,
        before: str = "",
        given: Sequence[object] = (),
        variables: Mapping[str, str] | None = None,
        unbuffered: bool = False,
        module: str = "gdexp",
    ) -> RunningCommand:
        """Start `python -m MODULE LINE`.

        Args:
            line: the words of the command line.
            cwd: folder to run it in.
            before: `module:function` to be called in the child before the command.
            given: that function's arguments, as JSON can hold them.
            variables: all environment variables; None: those of the server.
            unbuffered: what it writes is there to be read at once.
            module: that is run.
        """
        # Pipes, not files: a test may forbid files to grow.
        streams = [str(self._folder / f"{next(self._count):04}") for _ in range(2)]
        for name in streams:
            os.mkfifo(name)
        pipes = [os.open(name, os.O_RDONLY | os.O_NONBLOCK) for name in streams]
        calls = [*self._preparation, *([(before, list(given))] if before else [])]
        order = {
            "line": line,
            "cwd": str(cwd),
            "streams": streams,
            "calls": calls,
            "variables": None if variables is None else dict(variables),
            "unbuffered": unbuffered,
            "module": module,
        }
        return RunningCommand(self, self.ask(order) or 0, pipes)

    def fork(
        self, *words: str, cwd: str | Path, variables: Mapping[str, str], given: Mapping[int, int]
    ) -> int:
        """Start `python WORDS` in a session of its own, with descriptors of this process.

        Args:
            words: `-m MODULE` or the file of a module in `cwd`, and the words of its command line.
            cwd: folder to run it in.
            variables: all environment variables.
            given: numbers of descriptors there, each with that of one here.

        Returns:
            The id of the process.
        """
        module, *line = words[1:] if words[0] == "-m" else (Path(words[0]).stem, *words[1:])
        order = {
            "line": line,
            "cwd": str(cwd),
            "given": list(given),
            "calls": [],
            "variables": dict(variables),
            "unbuffered": False,
            "module": module,
        }
        return self.ask(order, list(given.values())) or 0

    def run(
        self, *line: str, cwd: Path, before: str = "", given: Sequence[object] = ()
    ) -> CompletedCommand:
        """Run `python -m gdexp LINE` to its end."""
        return self.start(*line, cwd=cwd, before=before, given=given).wait()

    def ask(self, order: dict[str, Any], given: Sequence[int] = ()) -> int | None:
        """One answer of the process; `given` are descriptors that it gets too."""
        answer = self._connection.ask(f"{json.dumps(order)}\n".encode(), given)
        if not answer:
            raise RuntimeError("the fork server has ended")
        found: int | None = json.loads(answer)
        return found


def _serve(address: str) -> dict[str, Any] | None:
    """Answer what comes through a socket until stdin ends; returns an order in its child alone."""
    with warnings.catch_warnings():  # of other people's modules
        warnings.simplefilter("ignore")
        for name in IMPORTED:
            import_module(name)
        _warm_up()
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page of what is imported here
    statuses: dict[int, int] = {}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        clients: dict[int, socket.socket] = {}
        while True:
            for number in select.select([0, listening.fileno(), *clients], [], [])[0]:
                if number == 0:
                    return None
                if number == listening.fileno():
                    connection = listening.accept()[0]
                    clients[connection.fileno()] = connection
                    continue
                line, passed = _received(clients[number])
                if not line:
                    clients.pop(number).close()
                    continue
                asked = json.loads(line)
                answer = _ended(asked["ended"], statuses) if "ended" in asked else os.fork()
                if answer == 0 and "ended" not in asked:
                    for client in clients.values():
                        client.close()
                    return {**asked, "passed": passed}
                if "ended" not in asked:
                    statuses.pop(answer or 0, None)
                for descriptor in passed:
                    os.close(descriptor)
                with suppress(OSError):  # it was killed while it asked: its end is read next
                    clients[number].sendall(f"{json.dumps(answer)}\n".encode())


def _received(client: socket.socket) -> tuple[bytes, list[int]]:
    """One line of a client, and the descriptors that come with it; no line at the end."""
    line: bytes = b""
    passed: list[int] = []
    descriptors: list[int]
    while not line.endswith(b"\n"):
        part, descriptors = b"", []
        with suppress(OSError):  # it was killed: this is its end
            part, descriptors, _, _ = socket.recv_fds(client, 65536, 16)
        if not part:
            for descriptor in passed:
                os.close(descriptor)
            return b"", []
        line += part
        passed += descriptors
    return line, passed


def _warm_up() -> None:
    """Do what every command does at first, and what leaves no state but caches of libraries."""
    from sqlalchemy.orm import configure_mappers

    from gdexp import Matrix, descend
    from gdexp.cli.main import main
    from tests.support.shortcuts import share_configs

    variables = dict(os.environ)  # a command sets some for MLflow
    with redirect_stdout(io.StringIO()), TemporaryDirectory() as folder, chdir(folder):
        main(["--cfg", "job"])
        assert main(["+sweep", "sweep.n_trials=3", "sweep.sampler=tpe"]) == 0
        assert main([]) == 0
    os.environ.clear()
    os.environ.update(variables)
    for name, module in [*sys.modules.items()]:
        for function in vars(module).values() if name.startswith(OF_A_PROCESS) else ():
            if hasattr(function, "cache_clear"):
                function.cache_clear()
    share_configs()
    descend(Matrix())
    configure_mappers()


def _ended(pid: int, statuses: dict[int, int]) -> int | None:
    """The exit status of a child; None while it runs.

    Args:
        pid: of the child.
        statuses: of those whose end was seen: who asked may have been killed before it heard.
    """
    if pid not in statuses:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            statuses[pid] = os.waitstatus_to_exitcode(status)
    return statuses.get(pid)


def _carry_out(order: Mapping[str, Any]) -> None:
    """Run a command as `python -m gdexp` does, and end with its exit status."""
    if "given" in order:
        os.setsid()
        _place(order["passed"], order["given"])
    else:
        written = [os.open(name, os.O_WRONLY) for name in order["streams"]]
        _place([os.open(os.devnull, os.O_RDONLY), *written], range(3))
    # Objects for the new places: the old ones remember whether they could seek.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = (
        open(number, "w", closefd=False, buffering=1 if number == 2 else -1)  # noqa: SIM115
        for number in (1, 2)
    )
    sys.stdout.reconfigure(write_through=order["unbuffered"])
    os.chdir(order["cwd"])
    sys.path[0] = order["cwd"]
    if order["variables"] is not None:
        os.environ.clear()
        os.environ.update(order["variables"])
    if "given" in order and "PYTHONWARNINGS" not in os.environ:
        warnings.simplefilter("ignore")
    for function, given in order["calls"]:
        _call(function, given)
    sys.argv = ["gdexp", *order["line"]]
    status: object = 0
    try:
        run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code
    if not isinstance(status, int | None):
        sys.exit(str(status))
    _leave(status or 0)


def _leave(status: int) -> None:
    """End this process as the interpreter does, but for the teardown of what the server imported.

    The teardown visits every object of torch and MLflow: it takes longer than most commands.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _place(descriptors: Sequence[int], numbers: Sequence[int]) -> None:
    """Give descriptors these numbers."""
    apart = [fcntl.fcntl(each, fcntl.F_DUPFD, 256) for each in descriptors]
    for each in descriptors:
        os.close(each)
    for each, number in zip(apart, numbers, strict=True):
        os.dup2(each, number)
        os.close(each)


def _call(place: str, given: Sequence[Any]) -> None:
    module, _, function = place.partition(":")
    getattr(import_module(module), function)(*given)


if __name__ == "__main__":
    asked_of_child = _serve(sys.argv[1])
    if asked_of_child is not None:
        _carry_out(asked_of_child)
