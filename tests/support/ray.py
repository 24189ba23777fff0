"""The environment with Ray, as `scripts/ray` makes it, and gdexp in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support import shortcuts
from tests.support.commands import environment
from tests.support.fork_server import ForkServer

PROJECT = Path(__file__).parents[2]
PYTHON = PROJECT / ".venv-ray/bin/python"
LOOPBACK = "127.0.0.1"
SECONDS = 600
"""For an installation over a slow network."""

PROMPT = {"RAY_worker_niceness": "0", "RAY_prestart_worker_first_driver": "0"}
"""Workers come as soon as others of a busy machine, and only those that are asked for."""


def prepare() -> None:
    """Make the environment, where it is missing or out of date."""
    subprocess.run([PROJECT / "scripts/ray", "--version"], timeout=SECONDS, check=True)


def variables(home: Path) -> dict[str, str]:
    """What gdexp gets there: a home folder of its own, and Ray's threads."""
    kept = {k: v for k, v in environment().items() if not k.startswith(("OMP_", "MKL_", "RAY_"))}
    # Ray's own processes would end of what other libraries warn of.
    kept.pop("PYTHONWARNINGS")
    return {**kept, **PROMPT, "HOME": str(home), "PYTHONPATH": str(PROJECT)}


@contextmanager
def drivers(folder: Path) -> Iterator[ForkServer]:
    """A process with Ray's environment from which commands are forked."""
    template = os.environ[shortcuts.TEMPLATE]
    with ForkServer(folder, variables(folder), python=str(PYTHON)) as server:
        yield server.preparing(f"{shortcuts.HERE}:take", template)


def start(
    *arguments: str,
    cwd: Path,
    home: Path,
    program: Sequence[str | Path] = ("-m", "gdexp"),
    path: Path | None = None,
) -> subprocess.Popen[str]:
    """`python -m gdexp …` with Ray, not waited for.

    Args:
        arguments: of the command line.
        cwd: folder to run it in.
        home: the user's.
        program: what is run instead of gdexp.
        path: a folder with further packages.
    """
    given = variables(home)
    found = given["PYTHONPATH"] if path is None else f"{given['PYTHONPATH']}:{path}"
    return subprocess.Popen(
        [PYTHON, "-u", *program, *arguments],
        cwd=cwd,
        env={**given, "PYTHONPATH": found},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A Ray that others started, on loopback; the address that it has until the end."""
    from gdexp.sweeps.launchers.ray_cluster import PRIVATE_VARIABLES

    code = (
        "import ray, sys\n"
        "ray.init(address='local', num_cpus=2, include_dashboard=False, log_to_driver=False,\n"
        f"    object_store_memory=78643200, _temp_dir={str(folder)!r})\n"
        "print(ray.get_runtime_context().gcs_address, flush=True)\n"
        "sys.stdin.read()\n"
        "ray.shutdown()\n"
    )
    process = subprocess.Popen(
        [PYTHON, "-c", code],
        cwd=folder,
        env={**variables(folder), **PRIVATE_VARIABLES, "RAY_AUTH_MODE": "disabled"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=60)
