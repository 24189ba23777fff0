"""A sweep whose database other programs open and close all the time loses nothing.

`scripts/bench durability` does this at length.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import fork_server, gdexp
from tests.support.outside_readers import check_sweep, outside_readers


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_outside_readers_lose_nothing(tmp_path: Path, workers: int) -> None:
    here = tmp_path / "sweep"
    here.mkdir()
    trials = 30
    with outside_readers(fork_server(), here):
        limits = f"sweep.n_trials={trials}", f"sweep.workers={workers}"
        gdexp("+sweep", "sweep.name=s", *limits, cwd=here)
    check_sweep(here, trials)
