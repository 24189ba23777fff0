"""Workers of sweeps and benchmarks as forks: a start of Python takes longer than their work.

A worker is told and ended as ever, and holds what it inherits. Where its start is what is tested,
it is a process that its driver starts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.support.commands import fork_server
from tests.support.fork_server import POLL_SECONDS


class ForkedWorker:
    """What `subprocess.Popen` is of a worker, as far as drivers use it.

    Attributes:
        pid: of its process.
        returncode: its exit status, -N where signal N ended it; None until its end is seen.
        stdin: what it reads is written there; None where that is given.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        cwd: str | Path,
        stdin: int,
        stdout: int | IO[bytes],
        stderr: IO[bytes],
        start_new_session: bool,
        env: Mapping[str, str] | None = None,
        pass_fds: Collection[int] = (),
    ) -> None:
        assert words[0] == sys.executable
        assert start_new_session
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        nothing = os.open(os.devnull, os.O_RDWR)
        opened = [nothing]
        if stdin == subprocess.PIPE:
            stdin, writer = os.pipe()
            opened.append(stdin)
            self.stdin = os.fdopen(writer, "wb")
        out, err = (each if isinstance(each, int) else each.fileno() for each in (stdout, stderr))
        streams = [nothing if each == subprocess.DEVNULL else each for each in (stdin, out, err)]
        given = {**dict(enumerate(streams)), **{each: each for each in pass_fds}}
        variables = os.environ if env is None else env
        self.pid = fork_server().fork(*words[1:], cwd=cwd, variables=variables, given=given)
        for each in opened:
            os.close(each)

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.returncode is None:
            self.returncode = fork_server().ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; returns the exit status."""
        began = time.monotonic()
        while (status := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired("a worker", timeout)
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


class Forking:
    """What drivers use of the module `subprocess`."""

    Popen = ForkedWorker
    TimeoutExpired = subprocess.TimeoutExpired
    DEVNULL, PIPE = subprocess.DEVNULL, subprocess.PIPE
