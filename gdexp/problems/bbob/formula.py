"""The base class of the 24 functions: constants, value and minimiser."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch

from gdexp.problems.bbob.instance import Instance


class Tensors:
    """The constants of an instance; a function has some of them. n is the dimension.

    Attributes:
        shift: what is subtracted from x first; shape (n,).
        first: the matrix that is applied first; shape (n, n).
        second: the matrix that is applied second; shape (n, n).
        scales: factors of the variables or of their squares; shape (n,).
        betas: the β_i of T_asy; shape (n,).
        exponents: of the variables; shape (n,).
        signs: −1 or 1; shape (n,).
        centres: of Gallagher's peaks; shape (peaks, n).
        widths: factors of the squared distances from the peaks; shape (peaks, n).
        heights: of the peaks; shape (peaks,).
    """

    shift: torch.Tensor
    first: torch.Tensor
    second: torch.Tensor
    scales: torch.Tensor
    betas: torch.Tensor
    exponents: torch.Tensor
    signs: torch.Tensor
    centres: torch.Tensor
    widths: torch.Tensor
    heights: torch.Tensor


class Formula(ABC):
    """One of the 24 functions.

    Attributes:
        title: its name in RR-6829.
        unique: whether x* is the only minimiser.
        smooth: whether the function has a Hessian at x* that is not 0.
        curvature: the smallest and the largest eigenvalue of a constant Hessian.
    """

    title: ClassVar[str]
    unique: ClassVar[bool] = True
    smooth: ClassVar[bool] = False
    curvature: ClassVar[tuple[float, float] | None] = None

    @abstractmethod
    def constants(self, given: Instance) -> dict[str, torch.Tensor]:
        """Return the constants by their names in `Tensors`; float64."""

    @abstractmethod
    def gap(self, c: Tensors, x: torch.Tensor) -> torch.Tensor:
        """Return f(x) − f_opt.

        Args:
            c: the constants.
            x: shape (n,), or (B, n) for a result of shape (B,).
        """

    def minimiser(self, c: Tensors) -> torch.Tensor:
        """Return x*; the shift by default."""
        return c.shift
