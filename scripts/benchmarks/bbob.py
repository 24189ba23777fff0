"""The functions of bbob against COCO's own, over all functions, instances 1 to 15, dimensions.

A difference counts as a share of max(|f|, |f_opt|). f14, f16 to f19 and f23 are so rugged that
one unit in the last place of x changes more than that: there the largest difference of an instance
counts as a multiple of the largest change that one such unit in one coordinate makes.

The constants of the portable form come from logarithms and cosines of gdexp's own, and those of
COCO from the C library. The Gram-Schmidt process can magnify the difference in the last bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cocoex
import numpy as np
import numpy.typing as npt
import torch

from benchmarks.measure import Figure, figure
from gdexp.problems import Bbob

Array = npt.NDArray[np.float64]

FUNCTIONS, INSTANCES, DIMENSIONS = range(1, 25), range(1, 16), (2, 5, 20)
RUGGED = (14, 16, 17, 18, 19, 23)
POINTS = 1000
REACH = 5.5
"""Points are uniform on [−5.5, 5.5]^n: within the box, and beyond it."""

EXACT, MULTIPLES = 1e-12, 100.0
PORTABLE, PORTABLE_RUGGED = 1e-11, 1e-9
"""Shares of the portable form."""


class Difference(NamedTuple):
    """The largest differences of one instance from COCO.

    Attributes:
        share: of max(|f|, |f_opt|).
        multiple: of the effect of one unit in the last place of x; 0 for what is not rugged.
        minimum: of COCO's value at x* from f*, as a share of max(1, |f*|).
    """

    share: float
    multiple: float
    minimum: float


def run(rounds: int) -> list[Figure]:
    """Compare all instances; the random points differ between rounds."""
    figures = []
    for form in ("torch", "portable"):
        found = {f: list(_instances(f, rounds, form)) for f in FUNCTIONS}
        for f, each in found.items():
            share, multiple = max(one.share for one in each), max(one.multiple for one in each)
            if form == "torch" and f in RUGGED:
                name = f"f{f}, torch: multiples of one ulp in x"
                figures.append(figure(name, [multiple], MULTIPLES, note=f"share {share:.1e}"))
                continue
            target = PORTABLE_RUGGED if f in RUGGED else PORTABLE
            target = EXACT if form == "torch" else target
            figures.append(figure(f"f{f}, {form}: share of f", [share], target))
        minima = [one.minimum for each in found.values() for one in each]
        figures.append(figure(f"f* and x*, {form}", [max(minima)], EXACT))
    return figures


def _instances(function: int, rounds: int, form: str) -> Iterator[Difference]:
    for instance in INSTANCES:
        for dimension in DIMENSIONS:
            for seed in range(rounds):
                yield difference(function, instance, dimension, POINTS, seed, form)


def difference(
    function: int,
    instance: int,
    dimension: int,
    points: int,
    seed: int = 0,
    form: str = "torch",
) -> Difference:
    """Return the largest differences of an instance from COCO at random points.

    Args:
        function: 1 … 24.
        instance: 1, 2, …
        dimension: one of COCO's: 2, 3, 5, 10, 20, 40.
        points: how many.
        seed: draws the points.
        form: `torch`, or `portable`: the form with the same constants on every machine.
    """
    theirs = coco(function, instance, dimension)
    ours = Bbob(function, instance, dimension)
    ours = ours.portable_form() if form == "portable" else ours
    assert ours.f_star is not None
    assert ours.x_star is not None
    random = np.random.default_rng([function, instance, dimension, seed])
    x = random.uniform(-REACH, REACH, (points, dimension))
    wanted = values(theirs, x)
    apart = np.abs(ours.loss(torch.from_numpy(x)).numpy() - wanted)
    scale = np.maximum(np.abs(wanted), abs(ours.f_star))
    multiple = apart.max() / effect(theirs, x, wanted) if function in RUGGED else 0.0
    at_best = abs(theirs(ours.x_star.numpy()) - ours.f_star) / max(1.0, abs(ours.f_star))
    return Difference(float((apart / scale).max()), float(multiple), float(at_best))


def coco(function: int, instance: int, dimension: int) -> cocoex.Problem:
    """Return COCO's problem."""
    chosen = f"dimensions: {dimension} function_indices: {function}"
    return cocoex.Suite("bbob", f"instances: {instance}", chosen)[0]


def values(problem: cocoex.Problem, x: Array) -> Array:
    """Return COCO's value at each row of x."""
    return np.array([problem(row) for row in x])


def effect(problem: cocoex.Problem, x: Array, at: Array) -> float:
    """Return the largest change by one unit in the last place of one coordinate.

    Args:
        problem: of COCO.
        x: shape (points, n).
        at: its values there.
    """
    largest = 0.0
    for j in range(x.shape[1]):
        moved = x.copy()
        moved[:, j] = np.nextafter(x[:, j], np.inf)
        largest = max(largest, float(np.abs(values(problem, moved) - at).max()))
    return largest
