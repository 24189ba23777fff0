"""Tests that need programs: an error where CI lacks them, elsewhere left out aloud."""

from __future__ import annotations

import os
from collections.abc import Collection

import pytest

WORDS = pytest.StashKey[list[str]]()


def leave_out(
    config: pytest.Config, items: list[pytest.Item], files: Collection[str], programs: str
) -> None:
    """Take the tests of some files away, as their programs are missing here."""
    ours = [item for item in items if item.path.name in files]
    if not ours:
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(f"CI needs {programs} for {', '.join(sorted(files))}")
    words = f"{len(ours)} tests were left out: {programs} are not all installed"
    config.stash.setdefault(WORDS, []).append(words)
    items[:] = [item for item in items if item not in ours]
    config.hook.pytest_deselected(items=ours)
