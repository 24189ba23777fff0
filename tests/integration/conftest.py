"""A process that is ready for commands; the browser tests need a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdexp.tracking.sqlite import ensure_database
from scripts.benchmarks.ready import Ready
from tests.integration.conditions import HERE
from tests.support.left_out import leave_out

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER_TESTS = ("test_browser.py", "test_web_pages.py")


def browser() -> tuple[str, str] | None:
    """Chromium and the driver of the same version, when both are installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    return (found, driver) if found and driver else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if browser() is None:
        leave_out(config, items, BROWSER_TESTS, "chromium and chromedriver")


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
