"""Portable losses are torch's, as far as a disturbance of one ulp leaves torch's themselves.

All shipped problems and rules take minutes (`scripts/bench bits`). Every run compares one of 48
parts; the long form all.
"""

from __future__ import annotations

import pytest

from scripts.benchmarks.torch_agreement import combinations, farthest, first_step
from tests.support.long_form import share


def test_loss_and_gradient_at_the_start_are_within_4_ulp_of_their_terms() -> None:
    for problem, _, dtype in combinations()[:: 24 - share(23, 23)]:
        assert first_step(problem, dtype) <= 4, (problem, dtype)


@pytest.mark.slow
def test_50_losses_are_within_10_times_the_spread_of_disturbed_runs() -> None:
    for combination in combinations()[:: 49 - share(48, 48)]:
        assert farthest(*combination) <= 1, combination
