"""The exact sign test of paired counts (W. Dixon, A. Mood, The statistical sign test, 1946)."""

from __future__ import annotations

from functools import cache
from math import comb

LEVEL = 0.05
MOST_SEEDS = 10_000
"""The largest number of seeds that is looked for."""


def sign_test(wins: int, losses: int) -> float:
    """Return the p-value of one side: how often fair coins give as many wins; ties are left out.

    The sums are of integers, so the value is exact but for one division. It is the probability of
    an error where it was settled before which of the two is the better one.
    """
    return _tail(wins + losses, wins)


@cache
def _tail(pairs: int, wins: int) -> float:
    counted = sum(comb(pairs, heads) for heads in range(wins, pairs + 1))
    return counted / (1 << pairs)


def pairs_to_tell(wins: int, losses: int, seeds: int) -> int | None:
    """Return the seeds with which the test would come to 0.05 if the shares stayed as they are.

    Args:
        wins: seeds on which one trial needs fewer iterations.
        losses: seeds on which the other does.
        seeds: all of them, ties included.

    Returns:
        None where neither is ahead, or where it would take more than ten thousand.
    """
    if wins <= losses:
        return None
    total, step = seeds, 1
    while total <= MOST_SEEDS:
        more_wins, more_losses = round(total * wins / seeds), round(total * losses / seeds)
        if sign_test(more_wins, more_losses) <= LEVEL:
            return total
        total, step = total + step, max(1, total // 50)
    return None
