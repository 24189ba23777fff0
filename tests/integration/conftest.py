"""A process that is ready for commands; the browser tests need a browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.conditions import HERE
from tests.support.commands import fork_server
from tests.support.fork_server import ForkServer
from tests.support.left_out import leave_out

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER_TESTS = ("test_browser.py", "test_web_pages.py", "test_site_in_browser.py")


def browser() -> tuple[str, str] | None:
    """Chromium and the driver of the same version, when both are installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    return (found, driver) if found and driver else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("slow")
    if browser() is None:
        leave_out(config, items, BROWSER_TESTS, "chromium and chromedriver")


@pytest.fixture(scope="session")
def ready() -> ForkServer:
    """A process that runs commands without their start-up, and draws pictures of a few points."""
    return fork_server().preparing(f"{HERE}:quick")
