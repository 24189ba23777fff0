"""What every test shares: a folder of its own, no telemetry, a quiet MLflow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.deferred import DeferredImports
from tests.support.left_out import WORDS
from tests.support.shortcuts import TEMPLATE, copying, small_pictures

# The same cases in every run, and no verdict from how busy the machine is.
settings.register_profile("gdexp", deadline=None, derandomize=True)
settings.load_profile("gdexp")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)


LONGEST = ("test_ray.py", "test_slurm.py", "test_workers.py", "test_kills.py", "test_browser.py")
"""Files that take minutes, most of them waiting: side by side with others they begin first."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(DeferredImports())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for words in config.stash.get(WORDS, []):
        terminalreporter.write_line(words)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the database stands that new ones are copied from, made once in a run of the tests."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "template/mlflow.db"
    path.parent.mkdir(exist_ok=True)
    return path


@pytest.fixture(scope="session")
def new_database(template: Path) -> Path:
    """A database of MLflow's without a run, to be copied."""
    from gdexp.tracking.database_creation import ensure_database

    ensure_database(template)
    return template


@pytest.fixture(scope="session", autouse=True)
def shortcuts(template: Path) -> Iterator[Callable[..., None]]:
    """New databases are copies of one, and pictures small; the value draws real ones."""
    from matplotlib.figure import Figure

    from gdexp.tracking import mlflow_internals

    os.environ[TEMPLATE] = str(template)
    real = Figure.savefig
    with pytest.MonkeyPatch.context() as patch:
        copy = copying(mlflow_internals.create_database, template)
        patch.setattr(mlflow_internals, "create_database", copy)
        patch.setattr(Figure, "savefig", small_pictures())
        yield real


@pytest.fixture(scope="module")
def real_pictures(shortcuts: Callable[..., None]) -> Iterator[None]:
    """Pictures as matplotlib draws them, for the tests of a module that look at them."""
    from matplotlib.figure import Figure

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", shortcuts)
        yield


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
