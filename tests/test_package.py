"""What the package offers, and that it starts fast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gdexp

pytestmark = pytest.mark.slow


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


HEAVY = {"mlflow", "sqlalchemy", "sklearn", "scipy", "matplotlib", "plotly", "pandas", "alembic"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The template of new databases, which needs MLflow."""
    prepare = "from gdexp.tracking import prepare_template\nprepare_template()\n"
    folder = tmp_path_factory.mktemp("prepared")
    subprocess.run([sys.executable, "-c", prepare], cwd=folder, check=True)


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("line", [[], ["+sweep", "sweep.n_trials=60"]])
def test_a_command_imports_only_what_it_uses(line: list[str], tmp_path: Path) -> None:
    """Beyond torch: no MLflow for its own tables, nothing that draws, no optuna for one descent.

    The problems wait for scikit-learn and scipy too.
    """
    own = [*line, "stopping.max_iterations=20"]
    heavy = HEAVY if line else {*HEAVY, "optuna"}
    code = (
        "import sys\nfrom gdexp.__main__ import main\n"
        f"status = main({own!r})\n"
        "assert 'gdexp.problems' in sys.modules\n"
        f"sys.exit(', '.join({heavy!r} & set(sys.modules)) or status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.png"))
