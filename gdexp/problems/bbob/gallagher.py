"""Functions 21 and 22: Gallagher's Gaussian peaks."""

from __future__ import annotations

import torch

from gdexp.problems.base import row_sum
from gdexp.problems.bbob import random_numbers
from gdexp.problems.bbob.formula import Formula, Tensors
from gdexp.problems.bbob.instance import Instance
from gdexp.problems.bbob.transformations import oscillated, penalty, rotated

CONDITION = 1000.0
HIGHEST, HIGH, LOW = 10.0, 9.1, 1.1
"""The heights of the highest peak, and of the second and the last of the others."""

SEED_STEP = 1000
"""Between the seeds of two peaks."""

SHRINKING = 0.8
"""Keeps the highest peak in [−4, 4]."""


class Gallagher(Formula):
    """`T_osz(10 − max_p w_p exp(−1/(2n) Σ c_pj (z_j − y_pj)²))²`, z = R x, with a penalty of 1.

    The highest peak, w = 10, is at x*; the others are from 1.1 to 9.1. Far from all peaks it is
    flat. It has no derivative where two peaks are equal; the mean of their gradients is taken.

    Args:
        peaks: 101 or 21.
        width: of the interval that the peaks are drawn from.
        condition: of the highest peak.
        title: the function's name.
    """

    def __init__(self, peaks: int, width: float, condition: float, title: str) -> None:
        self.title = title  # type: ignore[misc]
        self._peaks, self._width, self._condition = peaks, width, condition

    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return x*, the rotation, and the peaks' centres, widths and heights."""
        n, q = given.dimension, given.q()
        points = self._width * given.uniform(self._peaks * n).view(-1, n) - self._width / 2
        points[0] *= SHRINKING
        others = torch.arange(self._peaks - 1, dtype=torch.float64) / (self._peaks - 2)
        return {
            "shift": points[0],
            "first": q,
            "centres": random_numbers.in_order((q[:, None, :] * points).permute(2, 1, 0)),
            "widths": self._widths(given),
            "heights": torch.cat(
                [torch.full_like(others[:1], HIGHEST), others * (HIGH - LOW) + LOW]
            ),
        }

    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return the transformed distance of the highest value from 10, and the penalty."""
        away = rotated(c.first, x).unsqueeze(-2) - c.centres
        values = c.heights * torch.exp(-0.5 / x.shape[-1] * row_sum(c.widths * away * away))
        value = oscillated(HIGHEST - torch.amax(values, dim=-1))
        return value * value + penalty(x)

    def _widths(self, given: Instance) -> torch.Tensor:
        """Return the factors of the squared distances; shape (peaks, n).

        Those of a peak are the diagonal of Λ^α / α^½ in random order. α is drawn without
        replacement from 1000^(i / (peaks − 2)); that of the highest peak is given.
        """
        others, last = self._peaks - 1, given.dimension - 1
        drawn = [i / (others - 1) for i in order(given.seed, others)]
        conditions = [self._condition, *given.functions.powers(CONDITION, drawn).tolist()]
        rows = []
        for peak, condition in enumerate(conditions):
            places = order(given.seed + SEED_STEP * peak, given.dimension)
            rows.append(given.functions.powers(condition, [i / last - 0.5 for i in places]))
        return torch.stack(rows)


def order(seed: int, n: int) -> list[int]:
    """Return 0 … n − 1 in random order."""
    places: list[int] = torch.argsort(random_numbers.uniform(seed, n), stable=True).tolist()
    return places
