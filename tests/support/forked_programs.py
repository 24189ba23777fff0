"""Programs that gdexp starts, as forks: a start of Python takes longer than their work.

They are workers of sweeps and of benchmarks, and MLflow's server. Each is told and ended as ever,
and holds what it inherits. Where its start is what is tested, it is a process of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from tests.support.fork_server import POLL_SECONDS, ForkServer

WORKERS = ("gdexp.sweeps.launchers.local_workers", "gdexp.suite.workers")
SERVER = "gdexp.ui.server"
"""The modules that start programs."""


class ForkedProgram:
    """What `subprocess.Popen` is of a program, as far as gdexp uses it.

    Args:
        server: forks the program.
        words: of the command.
        stdin, stdout, stderr: as `Popen` has them.
        env: all environment variables; None: those of this process.
        pass_fds: descriptors that it inherits.
        text: how pipes are opened.

    Attributes:
        pid: of its process.
        returncode: its exit status, -N where signal N ended it; None until its end is seen.
        stdin: what it reads is written there; None where that is given.
        stdout: what it writes is read there; None where that goes elsewhere.
    """

    def __init__(
        self,
        server: ForkServer,
        words: Sequence[str],
        *,
        cwd: str | Path,
        stdin: int,
        stdout: int | IO[bytes],
        stderr: int | IO[bytes],
        start_new_session: bool,
        env: Mapping[str, str] | None = None,
        pass_fds: Collection[int] = (),
        **text: Any,
    ) -> None:
        assert start_new_session
        self._server = server
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[Any] | None = None
        opened = [os.open(os.devnull, os.O_RDWR)]
        if stdin == subprocess.PIPE:
            stdin, end = os.pipe()
            opened.append(stdin)
            self.stdin = os.fdopen(end, "wb")
        if stdout == subprocess.PIPE:
            end, stdout = os.pipe()
            opened.append(stdout)
            self.stdout = os.fdopen(end, "r" if text else "rb", errors=text.get("errors"))
        if stderr == subprocess.STDOUT:
            stderr = stdout
        streams = [each if isinstance(each, int) else each.fileno() for each in (stdout, stderr)]
        numbers = [opened[0] if each == subprocess.DEVNULL else each for each in (stdin, *streams)]
        given = {**dict(enumerate(numbers)), **{each: each for each in pass_fds}}
        variables = os.environ if env is None else env
        self.pid = server.fork(*words[1:], cwd=cwd, variables=variables, given=given)
        for each in opened:
            os.close(each)

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.returncode is None:
            self.returncode = self._server.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status."""
        began = time.monotonic()
        while (status := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired("a program", timeout)
            time.sleep(POLL_SECONDS)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class Forking:
    """What the modules that start programs use of `subprocess`.

    Attributes:
        server: returns the process from which Python's programs are forked.
    """

    server: Callable[[], ForkServer]
    TimeoutExpired = subprocess.TimeoutExpired
    DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT

    def Popen(self, words: Sequence[str], **options: Any) -> Any:
        """Start a program; one of Python's is a fork."""
        if words[0] == sys.executable:
            return ForkedProgram(self.server(), words, **options)
        return subprocess.Popen(words, **options)


def fork_server_programs(address: str, workers: bool) -> None:
    """Let this process start MLflow's server as a fork of the process at an address.

    Args:
        address: of the process.
        workers: whether it starts workers as forks too.
    """
    server = ForkServer(Path(), address=address)
    for name in (*WORKERS, SERVER) if workers else (SERVER,):
        setattr(import_module(name), "subprocess", Forking(lambda: server))  # noqa: B010
