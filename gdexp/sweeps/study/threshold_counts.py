"""The counts of a trial at the usual thresholds, and their bounds where it was not continued.

Of several seeds a count is the expected running time (N. Hansen et al., COCO: performance
assessment, 2016): all iterations divided by the number of successes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gdexp.descent import (
    ENDED_FROM_OUTSIDE,
    ITERATIONS,
    SECONDS,
    THRESHOLDS,
    Result,
    cost_at,
)

Column = tuple[float | None, ...]
"""One entry for each threshold of the study: of `THRESHOLDS`, or around those of a metric."""


class ThresholdCounts(NamedTuple):
    """The counts of a trial.

    Attributes:
        hits: the iterations to each threshold; None where it failed or is censored.
        bounds: where it is censored, the fewest iterations that it can need; else None.
    """

    hits: Column
    bounds: Column


def threshold_counts(
    results: Sequence[Result],
    seeds: int,
    thresholds: Sequence[float] = THRESHOLDS,
    cost: str = ITERATIONS,
) -> ThresholdCounts:
    """Return the counts of a trial from the results of its seeds.

    A trial is censored at a threshold if one of its seeds is, or did not run.

    Args:
        results: of the seeds that ran.
        seeds: of a trial.
        thresholds: of the table.
        cost: what is counted, as `cost_at` says.
    """
    columns = [_columns(result, thresholds, cost) for result in results]
    if seeds == 1:
        own, least = columns[0]
        return ThresholdCounts(tuple(own), tuple(least))
    found: list[tuple[float | None, float | None]] = []
    for at in range(len(thresholds)):
        hits = [hits[at] for hits, _ in columns]
        bounds = [bounds[at] for _, bounds in columns]
        made = [cost_at(result, cost, result.updates) for result in results]
        found.append(_expected(hits, bounds, made, seeds))
    hits_of_all, bounds_of_all = zip(*found, strict=True)
    return ThresholdCounts(hits_of_all, bounds_of_all)


def _columns(
    result: Result, thresholds: Sequence[float], cost: str
) -> tuple[list[float | None], list[float | None]]:
    """Return the costs of one descent to the thresholds, and the least where it is censored."""
    reached = result.hits(thresholds)
    hits = [None if k is None else cost_at(result, cost, k) for k in reached]
    further = cost_at(result, cost, result.updates) + (cost != SECONDS)
    bounds = [
        None if k is None else (k if cost == ITERATIONS else further)
        for k in result.bounds(thresholds, reached)
    ]
    return hits, bounds


def _expected(
    hits: Sequence[float | None],
    bounds: Sequence[float | None],
    updates: Sequence[float],
    seeds: int,
) -> tuple[float | None, float | None]:
    """Return the expected running time to one threshold, or its lower bound if it is censored.

    It is lowest if every censored seed succeeds as early as it can, and every other one at once.
    """
    spent, successes = 0.0, seeds - len(updates)
    for hit, bound, made in zip(hits, bounds, updates, strict=True):
        known = hit if hit is not None else bound
        spent += made if known is None else known
        successes += known is not None
    censored = len(updates) < seeds or any(bound is not None for bound in bounds)
    expected = spent / successes if successes else None
    return (None, expected) if censored else (expected, None)


def of_one_seed(hits: Column, status: str, iterations: int) -> ThresholdCounts:
    """Return the counts of a descent that was not continued, from its hits."""
    ended = status in ENDED_FROM_OUTSIDE
    bounds = [iterations + 1 if ended and hit is None else None for hit in hits]
    return ThresholdCounts(hits, tuple(bounds))


def of_earlier_version(
    hits: Column, threshold: float, counts: Sequence[int], successes: int, capped: bool
) -> ThresholdCounts:
    """Return the counts of several seeds from what gdexp 0.1.0 stored of them.

    It took a censored seed for a failure. A trace ended where it came within its own threshold,
    so below that threshold all iterations were made, and the hits tell how many seeds reached it.

    Args:
        hits: as stored.
        threshold: the trial's own.
        counts: iterations of each seed.
        successes: seeds that converged.
        capped: whether the cap ended the trial; then nothing is known.
    """
    if capped:
        return ThresholdCounts((None,) * len(hits), (0.0,) * len(hits))
    found: list[tuple[float | None, float | None]] = []
    for hit, wanted in zip(hits, THRESHOLDS, strict=True):
        reached = round(sum(counts) / hit) if hit else 0
        if wanted >= threshold or (hit != 0 and reached == successes):
            found.append((hit, None))
        elif hit == 0:  # some seeds started within the threshold; how many is not known
            found.append((None, 0.0))
        else:
            found.append((None, (sum(counts) + successes - reached) / successes))
    return ThresholdCounts(*(tuple(column) for column in zip(*found, strict=True)))
