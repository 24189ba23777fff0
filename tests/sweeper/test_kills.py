"""Sweeps of an application that are killed again and again: `scripts/bench sweeper_kills 200`."""

from __future__ import annotations

import pytest
from benchmarks import sweeper_kills

from tests.support.long_form import share


@pytest.mark.slow
def test_a_sweep_that_is_killed_again_and_again_tells_the_trials_of_one_left_alone() -> None:
    # Failures, reports and pruned trials in every run, the other kinds in the long form.
    every = tuple(sweeper_kills.SWEEPS)
    kinds = every if share(2, 2) == 2 else ("pruned",)
    lost, different = sweeper_kills.run(share(12, 4), kinds)
    assert lost.note.startswith(f"{share(12, 4)} kills")
    assert (lost.median, different.median) == (0, 0)
