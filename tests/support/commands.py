"""Running gdexp as a user does, in this process or in one of its own."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from subprocess import PIPE

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from gdexp import config, hydra_plugins
from tests.support import shortcuts
from tests.support.fork_server import ForkServer, RunningCommand

SHARED = "GDEXP_FORK_SERVER"
"""The environment variable with the address of the process that commands are forked from."""

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@cache
def fork_server() -> ForkServer:
    """The process that this one's commands are forked from; all processes of the tests share it."""
    folder = Path(tempfile.mkdtemp(prefix="commands-"))
    server = ForkServer(folder, environment(), os.environ.get(SHARED)).__enter__()
    atexit.register(server.__exit__, None, None, None)
    return server


def share_fork_server() -> None:
    """Start the process that commands are forked from, for the processes that are started next."""
    os.environ[SHARED] = str(fork_server().address)


def gdexp(
    *arguments: str,
    cwd: Path,
    expect: int | None = 0,
    timeout: float = 300,
    quick: bool = True,
    real: bool = False,
    module: str = "gdexp",
) -> subprocess.CompletedProcess[str]:
    """Run `python -m gdexp …` in a process of its own and check its exit status.

    Args:
        arguments: of the command line.
        cwd: folder to run it in.
        expect: the exit status; None: any.
        timeout: seconds until it is killed.
        quick: whether it copies a new database and draws small pictures.
        real: a new interpreter, where its start is what is tested; else a forked one.
        module: that is run.
    """
    if real:
        command = [sys.executable, "-m", module, *arguments]
        process: subprocess.Popen[str] | RunningCommand = subprocess.Popen(
            command, cwd=cwd, env=environment(), stdout=PIPE, stderr=PIPE, text=True
        )
    else:
        server = _with_shortcuts(workers=True) if quick else fork_server()
        process = server.start(*arguments, cwd=cwd, variables=environment(), module=module)
    out, err = process.communicate(timeout=timeout)
    status = process.returncode
    if expect is not None:
        assert status == expect, f"{status}\n{out}\n{err}"
    return subprocess.CompletedProcess(arguments, status or 0, out, err)


def start(
    *arguments: str,
    cwd: Path,
    before: str = "",
    given: Sequence[object] = (),
    quick: bool = True,
    module: str = "gdexp",
    workers: bool = False,
) -> RunningCommand:
    """Start `python -m gdexp …`, its output unbuffered.

    Args:
        arguments: of the command line.
        cwd: folder to run it in.
        before: `module:function` to be called in the process before the command.
        given: that function's arguments, as JSON can hold them.
        quick: whether it copies a new database and draws small pictures.
        module: that is run.
        workers: whether its workers are forks; else they are its children, new interpreters.
    """
    server = _with_shortcuts(workers) if quick else fork_server()
    return server.start(
        *arguments,
        cwd=cwd,
        before=before,
        given=given,
        variables=environment(),
        unbuffered=True,
        module=module,
    )


def _with_shortcuts(workers: bool) -> ForkServer:
    server, programs = fork_server(), "tests.support.forked_programs:fork_server_programs"
    server = server.preparing(f"{shortcuts.HERE}:take", os.environ[shortcuts.TEMPLATE])
    return server.preparing(programs, server.address, workers)


def environment() -> dict[str, str]:
    """What the child processes get: no colours, one thread, no debug output."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GDEXP_", "MLFLOW_"))}
    return {**kept, **ONE_THREAD, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "error"}


def one_error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The single line on stderr."""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("gdexp: error: ")
    return lines[0].removeprefix("gdexp: error: ")


def composed(*lines: str) -> config.Config:
    """The config that these overrides compose from the shipped files."""
    hydra_plugins.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config.shipped()), version_base="1.3"):
        return config.plain(compose("config", list(lines)))


def python(code: str, cwd: Path) -> Sequence[str]:
    """Lines that a short program prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()
