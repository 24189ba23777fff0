"""A process that is ready for commands, and which tests are left out.

The browser tests: there where a browser is, an error where CI lacks one, else left out aloud.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdexp.tracking.database import ensure_database
from scripts.benchmarks.ready import Ready
from tests.integration.conditions import HERE

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER_TESTS = ("test_browser.py", "test_web_pages.py")
LEFT_OUT = pytest.StashKey[int]()


def browser() -> tuple[str, str] | None:
    """Chromium and the driver of the same version, when both are installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    return (found, driver) if found and driver else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.name in BROWSER_TESTS]
    if not ours or browser() is not None:
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError("CI needs chromium and chromedriver for tests/integration")
    config.stash[LEFT_OUT] = len(ours)
    items[:] = [item for item in items if item not in ours]
    config.hook.pytest_deselected(items=ours)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(
            f"{count} browser tests were left out: chromium and chromedriver are not installed"
        )


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    """A process that runs commands without their start-up."""
    with Ready(tmp_path_factory.mktemp("said"), f"{HERE}:quick") as process:
        yield process


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of MLflow's without a run, to be copied: making one takes its time."""
    path = tmp_path_factory.mktemp("new") / "mlflow.db"
    ensure_database(path)
    return path
