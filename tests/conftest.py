"""What every test shares: a folder of its own, no telemetry, a quiet MLflow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from shutil import rmtree

import pytest
from hypothesis import settings

from tests.support.deferred import DeferredImports
from tests.support.forked_programs import SERVER, WORKERS
from tests.support.left_out import WORDS
from tests.support.long_form import share
from tests.support.shortcuts import LOADER, TEMPLATE, config_loader, copying, small_pictures

# The same cases in every run, and no verdict from how busy the machine is.
settings.register_profile("gdexp", deadline=None, derandomize=True, max_examples=share(100, 3))
settings.load_profile("gdexp")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)


LONGEST = (
    *("test_ray.py", "test_documents.py", "test_browser.py", "test_slurm.py", "test_workers.py"),
    *("test_typing.py", "test_jobs.py", "test_kills.py", "test_ends.py", "test_resume.py"),
    *("test_secrets.py", "test_matrix.py", "test_faults.py", "test_moving.py", "test_main_job.py"),
    *("test_web_pages.py", "test_work.py", "test_bad_inputs.py", "test_signals.py"),
    *("test_servers.py", "test_ui.py", "test_bad_values.py", "test_goals.py", "test_children.py"),
    *("test_batch.py", "test_site_in_browser.py", "test_changed_files.py", "test_remote.py"),
)
"""Files that take minutes, many of them waiting: side by side with others they begin first."""


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(DeferredImports())
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _have_own_folders(config)
    if getattr(config.option, "numprocesses", None):  # the process that starts the others
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # more threads than cores wait for each other
        from tests.support.commands import share_fork_server

        share_fork_server()


def _have_own_folders(config: pytest.Config) -> None:
    """Give all processes of the tests one temporary folder, with a cache, until the run ends."""
    usual = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="gdexp-tests-"))
    config.add_cleanup(lambda: rmtree(folder, ignore_errors=True))
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", usual)  # what pytest keeps stays there
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")


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
def shortcuts(template: Path) -> Iterator[list[tuple[type, str, Callable[..., object]]]]:
    """New databases are copies, configs share files, pictures are small, programs are forks.

    The value draws real pictures.
    """
    from hydra._internal import hydra as hydra_main

    from gdexp.tracking import mlflow_internals
    from tests.support.commands import fork_server
    from tests.support.forked_programs import Forking

    os.environ[TEMPLATE] = str(template)
    with pytest.MonkeyPatch.context() as patch:
        copy = copying(mlflow_internals.create_database, template)
        patch.setattr(mlflow_internals, "create_database", copy)
        patch.setattr(hydra_main, LOADER, config_loader)
        for name in (*WORKERS, SERVER):
            patch.setattr(import_module(name), "subprocess", Forking(fork_server))
        real = []
        for owner, name, stand_in in small_pictures():
            real.append((owner, name, getattr(owner, name)))
            patch.setattr(owner, name, stand_in)
        yield real


@pytest.fixture(scope="module")
def real_pictures(shortcuts: list[tuple[type, str, Callable[..., object]]]) -> Iterator[None]:
    """Pictures as they are drawn, for the tests of a module that look at them."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, method in shortcuts:
            patch.setattr(owner, name, method)
        yield


@pytest.fixture(scope="module")
def real_programs(shortcuts: object) -> Iterator[None]:
    """Programs that gdexp starts as new processes, for the tests of a module that look at them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*WORKERS, SERVER):
            patch.setattr(import_module(name), "subprocess", subprocess)
        yield


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the package, built once in a run of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    root = Path(__file__).parents[1]
    subprocess.run([*words, str(folder)], cwd=root, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(autouse=True)
def forgotten_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test imports from its folder is no module of the next test, which may have its name.

    Which tests run in one process, and in which order, differs from run to run.
    """
    base, before, path = str(tmp_path_factory.getbasetemp()), set(sys.modules), sys.path[:]
    yield
    for name in sys.modules.keys() - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(base):
            del sys.modules[name]
    sys.path[:] = [each for each in sys.path if each in path or not each.startswith(base)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
