"""The browser tests: there where a browser is, an error where CI lacks one, else left out aloud."""

from __future__ import annotations

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
LEFT_OUT = pytest.StashKey[int]()


def browser() -> tuple[str, str] | None:
    """Chromium and the driver of the same version, when both are installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    driver = shutil.which("chromedriver")
    return (found, driver) if found and driver else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.name == "test_browser.py"]
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
