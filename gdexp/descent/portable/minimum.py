"""The check that a loss is not below the minimum that its problem declares, portable too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from gdexp.descent.minimum import COARSE
from gdexp.engine import Array, Interpreter, NotPortable, Program
from gdexp.problems import ROUNDING, Problem


class PortableMinimum:
    """Tells which losses are below the minimum of a problem; see `gdexp.descent.minimum.Minimum`.

    Args:
        problem: the problem.
        dtype: float32 or float64: of the descent.
        double: makes the program of the loss in float64.
    """

    def __init__(self, problem: Problem, dtype: str, double: Callable[[], Program]) -> None:
        self.f_star = problem.reference
        self.off = problem.absolute or not problem.checks_minimum
        self._known = problem.f_star is not None
        self._dtype, self._double = dtype, double
        self._interpreter: Interpreter | None = None

    def below(self, losses: npt.NDArray[np.float64], x: Array) -> npt.NDArray[np.bool_]:
        """Return which losses, all less than f*, are so by more than rounding.

        Args:
            losses: shape (rows,).
            x: where they were found, shape (rows, *shape).
        """
        if not self._known:
            return np.ones(len(losses), dtype=bool)
        error = np.full(len(losses), COARSE * float(np.finfo(x.dtype).eps))
        again = losses if self._dtype == "float64" else self._computed(x)
        if again is not None:
            known = np.isfinite(again)
            losses, error[known] = np.where(known, again, losses), ROUNDING
        return losses < self.f_star - error * max(1.0, abs(self.f_star))

    def _computed(self, x: Array) -> npt.NDArray[np.float64] | None:
        """Return the losses in double precision; None where they cannot be computed so."""
        if self._interpreter is None:
            try:
                self._interpreter = Interpreter(self._double())
            except NotPortable:
                return None
        with torch.no_grad():
            found = self._interpreter({"x": torch.from_numpy(x.astype(np.float64))})
        return found["loss"].numpy()
