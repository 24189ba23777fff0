"""Running gdexp as a user does, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from gdexp import config, hydra_plugins

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def gdexp(
    *arguments: str, cwd: Path, expect: int | None = 0, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """`python -m gdexp …` in a process of its own, its exit status checked."""
    done = subprocess.run(
        [sys.executable, "-m", "gdexp", *arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if expect is not None:
        assert done.returncode == expect, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """The same, not waited for."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "gdexp", *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


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
