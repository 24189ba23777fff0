"""What a rerun needs to know of where a run was made: environment and source state."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gdexp import __version__

PACKAGES = ("torch", "numpy", "hydra-core", "optuna", "mlflow")
NUMERIC_VARIABLES = ("MKL_", "ATEN_", "ONEDNN_", "DNNL_", "OMP_", "CUBLAS_", "OPENBLAS_")
"""Prefixes of the environment variables that change numbers."""


def environment() -> dict[str, Any]:
    """Versions, processor, threads and the variables that change numbers; JSON-ready."""
    import torch

    return {
        "gdexp": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": _packages(),
        "torch": {
            "git": torch.version.git_version,
            "build": hashlib.sha256(torch.__config__.show().encode()).hexdigest(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
            "interop_threads": torch.get_num_interop_threads(),
            "cuda": torch.version.cuda,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
        },
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(NUMERIC_VARIABLES)
        },
        "source": source_state(),
    }


@cache
def source_state() -> dict[str, Any]:
    """Digest of gdexp's own source, and the commit it comes from when that is known."""
    package = Path(__file__).parent
    state: dict[str, Any] = {"digest": _digest(package)}
    commit = _git(package, "rev-parse", "HEAD")
    if commit and _git(package, "ls-files", "--error-unmatch", "__init__.py"):
        state["commit"] = commit
        state["dirty"] = bool(_git(package, "status", "--porcelain", "--", "."))
    return state


def command_line() -> str:
    """The program's name as a person would type it; arguments may hold secrets and stay out."""
    return "gdexp" if Path(sys.argv[0]).name == "gdexp" else "python -m gdexp"


@cache
def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # pragma: no cover - all are dependencies
            continue
    return found


def _digest(package: Path) -> str:
    """sha256 over the names and bytes of the package's modules, in order."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode() + b"\0")
        total.update(path.read_bytes() + b"\0")
    return total.hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
