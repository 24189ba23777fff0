"""The tests of SLURM need SLURM."""

from __future__ import annotations

import pytest

from tests.support.left_out import leave_out
from tests.support.slurm import installed


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not installed():
        programs = "slurmctld, slurmd, slurm-client and munge"
        leave_out(config, items, {"test_slurm.py"}, programs)
