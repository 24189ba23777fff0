"""Portable losses are torch's, as far as a disturbance of one ulp leaves torch's themselves.

All shipped problems and rules take a minute (`scripts/bench bits`). Here one of 48 parts is
compared, by turns: the day chooses it.
"""

from __future__ import annotations

import datetime

import pytest

from scripts.benchmarks.torch_agreement import combinations, farthest, first_step

TODAY = datetime.date.today().toordinal()


def test_loss_and_gradient_at_the_start_are_within_4_ulp_of_their_terms() -> None:
    for problem, _, dtype in combinations()[TODAY % 23 :: 23]:
        assert first_step(problem, dtype) <= 4, (problem, dtype)


@pytest.mark.slow
def test_50_losses_are_within_10_times_the_spread_of_disturbed_runs() -> None:
    for combination in combinations()[TODAY % 48 :: 48]:
        assert farthest(*combination) <= 1, combination
