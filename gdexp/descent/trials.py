"""The points that a rule which searches evaluates, until one of them is an iterate."""

from __future__ import annotations

from array import array
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from gdexp.optimizers import SearchingRule, State
from gdexp.problems import Problem, loss_at

Gradient = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Trials:
    """Searches with torch's own kernels.

    Args:
        problem: in the dtype and on the device of the descent.
        rule: that searches.
        gradient: gives the gradient of a loss at x.

    Attributes:
        counts: the evaluations made until each iterate.
        last_gradient: that of the last evaluation.
    """

    last_gradient: torch.Tensor

    def __init__(self, problem: Problem, rule: SearchingRule, gradient: Gradient) -> None:
        self._problem, self._rule, self._gradient = problem, rule, gradient
        self.counts = array("q")

    def iterate(
        self, x: torch.Tensor, loss: torch.Tensor, state: State, k: int
    ) -> tuple[torch.Tensor, torch.Tensor, State, tuple[torch.Tensor, State]]:
        """Evaluate until a point is iterate k.

        Args:
            x: the first trial, which a gradient can be taken at.
            loss: at x.
            state: of the rule.
            k: the iteration.

        Returns:
            The iterate, its loss, the state that belongs to it, and the next x and state.
        """
        coefficients = self._rule.coefficients(k + 1)
        made = self.counts[-1] if self.counts else 0
        while True:
            made += 1
            gradient, value = self._gradient(loss, x), loss.detach()
            following, after, accepted = self._rule.search(
                x.detach(), value, gradient, state, *coefficients
            )
            if accepted is None or accepted.item():
                self.last_gradient = gradient
                self.counts.append(made)
                return x, loss, state, (following, after)
            x, state = following.requires_grad_(), after
            loss = loss_at(self._problem, x, k)


def beyond_one_each(counts: npt.ArrayLike) -> npt.NDArray[np.int64] | None:
    """Return the evaluations until each iterate; None where there is one for each, or no count."""
    made = np.array(counts, dtype=np.int64)
    return made if len(made) and made[-1] > len(made) else None
