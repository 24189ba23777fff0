"""The shape of the package: what imports what, what starts fast, what is public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gdexp

PACKAGE = Path(gdexp.__file__).parent

LAYERS = [
    "secrets", "errors", "checks", "arguments", "place", "collecting", "environment", "config",
    "composition", "help", "repeat", "interrupts", "faults", "problems", "schedules",
    "optimizers", "stopping", "result", "gradient", "device", "descent", "cap", "batch",
    "testing", "theory", "experiment", "provenance", "plots", "terminal", "tracking", "runs",
    "compare", "rerun", "commands", "sweep", "hydra_plugins", "ui", "__main__",
]  # fmt: skip
"""Each room may import from itself and from those before it. `__init__` only lists names."""

MODULES = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def room(path: Path) -> str:
    """The first part of a module's place in the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms that a module imports, wherever in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gdexp"):
            parts = str(node.module).split(".")
            rooms |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            rooms |= {a.name.split(".")[1] for a in node.names if a.name.startswith("gdexp.")}
    return rooms - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    here = LAYERS.index(room(path))
    for other in imported(path):
        if other in LAYERS:
            assert LAYERS.index(other) <= here, f"{room(path)} may not import {other}"
        else:
            assert other in gdexp.__all__, f"{other} is no room and no public name"


def test_every_public_name_is_there_and_documented() -> None:
    for name in gdexp.__all__:
        assert getattr(gdexp, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gdexp.nothing


@pytest.mark.parametrize("line", [["--help"], ["--version"]])
def test_help_waits_for_no_heavy_import(line: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom gdexp.__main__ import main\n"
        f"status = main({line!r})\n"
        "heavy = {'torch', 'mlflow', 'optuna', 'hydra', 'omegaconf', 'matplotlib', 'numpy'}\n"
        "sys.exit(status or ', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_composing_a_config_waits_for_neither_torch_nor_mlflow(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom gdexp.__main__ import main\n"
        "status = main(['optimizer.lr=2', '--cfg', 'job'])\n"
        "sys.exit(status or ', '.join({'torch', 'mlflow', 'optuna'} & set(sys.modules)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "lr: 2" in done.stdout
