"""The tests of SLURM: there where it is installed, an error where CI lacks it, else left out."""

from __future__ import annotations

import os

import pytest

from tests.slurm import installed

SLURM_TESTS = "test_slurm.py"
LEFT_OUT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.name == SLURM_TESTS]
    if not ours or installed():
        return
    if os.environ.get("CI") == "true":
        raise pytest.UsageError("CI needs slurmctld, slurmd, slurm-client and munge")
    config.stash[LEFT_OUT] = len(ours)
    items[:] = [item for item in items if item not in ours]
    config.hook.pytest_deselected(items=ours)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests of SLURM were left out: it is not installed, or munge is not"
        )
