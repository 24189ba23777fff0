"""The fit of a small network to a function of one variable."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F

from gdexp.core import BadInput, validation
from gdexp.problems.base import Problem
from gdexp.problems.constants import ConstantFunctions
from gdexp.problems.facts import Curve, Part, consecutive_parts

POLYNOMIAL = "polynomial"
FUNCTIONS = ("sine", "step", "absolute", "gaussian", "sawtooth", POLYNOMIAL)
CUBIC = (0.0, -1.0, 0.0, 2.0)


class Function(Problem):
    """Mean squared error of a small tanh network against a function of one variable.

    x is the flat vector of all weights and biases; `parts` names them. The start is uniform on
    ±1/√fan_in, drawn from the seed, as torch.nn.Linear does.

    Args:
        function: sine (sin πt), step (0 then 1), absolute (|t|), gaussian (exp −4t²),
            sawtooth (t − ⌊t⌋) or polynomial.
        coefficients: those of the polynomial, constant term first; 2t³ − t by default.
        hidden: the widths of the hidden layers.
        points: the number of equally spaced values of t in the mean.
        interval: the lowest and the highest t.
        x0: all weights as one flat list, in place of the draw.
    """

    name = "function"
    grid: torch.Tensor
    wanted: torch.Tensor

    def __init__(
        self,
        function: str = "sine",
        coefficients: Sequence[float] | None = None,
        hidden: Sequence[int] = (16,),
        points: int = 64,
        interval: Sequence[float] = (-1.0, 1.0),
        x0: object = None,
    ) -> None:
        self.function = validation.choice("function", function, FUNCTIONS)
        self._interval = _interval(interval)
        self._points = validation.integer("points", points, low=2, high=1_000_000)
        self._coefficients = self._polynomial(coefficients)
        self._set_constants()
        self._parts = consecutive_parts(_layer_shapes(_widths(hidden)))
        self._sizes = [part.numel for part in self._parts]
        self.shape = (sum(self._sizes),)
        super().__init__(x0)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the mean squared error over the grid; x has shape (weights,)."""
        return F.mse_loss(self._network(x), self.wanted)

    def draw(self, generator: torch.Generator) -> torch.Tensor:
        """Draw the weights and biases of each layer uniformly on ±1/√fan_in."""
        pieces = []
        fan_in = 1
        for part in self._parts:
            if part.name.endswith("weight"):
                fan_in = part.shape[1]
            bound = 1 / math.sqrt(fan_in)
            pieces.append((2 * torch.rand(part.numel, generator=generator) - 1) * bound)
        return torch.cat(pieces)

    def parts(self) -> list[Part]:
        """Return weights and biases in the order of x."""
        return self._parts

    def curve(self, x: torch.Tensor) -> Curve:
        """Return the wanted function and the network's output on the grid."""
        fitted = self._network(x.detach())
        return Curve(self.grid.squeeze(1), self.wanted.squeeze(1), fitted.squeeze(1))

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the network's output and the loss."""
        output = self._network(x)
        return [("output", output), ("loss", F.mse_loss(output, self.wanted))]

    def _network(self, x: torch.Tensor) -> torch.Tensor:
        pieces = torch.split(x, self._sizes)
        value = self.grid
        last = len(pieces) - 2
        for i in range(0, len(pieces), 2):
            value = F.linear(value, pieces[i].view(self._parts[i].shape), pieces[i + 1])
            if i < last:
                value = torch.tanh(value)
        return value

    def _constants(self, functions: ConstantFunctions) -> dict[str, object]:
        grid = functions.linspace(*self._interval, self._points).unsqueeze(1)
        return {"grid": grid, "wanted": self._wanted(grid, functions)}

    def _wanted(self, t: torch.Tensor, functions: ConstantFunctions) -> torch.Tensor:
        match self.function:
            case "sine":
                return functions.sine(math.pi * t)
            case "step":
                return (t >= 0).to(t.dtype)
            case "absolute":
                return t.abs()
            case "gaussian":
                return functions.exponential(-4 * t * t)
            case "sawtooth":
                return t - torch.floor(t)
        return functions.polynomial(t, self._coefficients)

    def _polynomial(self, coefficients: Sequence[float] | None) -> tuple[float, ...]:
        if self.function != POLYNOMIAL and coefficients is not None:
            raise BadInput("coefficients", coefficients, "only with function=polynomial")
        terms = validation.tensor(
            "coefficients", CUBIC if coefficients is None else list(coefficients)
        )
        if terms.ndim != 1:
            raise BadInput("coefficients", coefficients, "must be a flat list of numbers")
        return tuple(terms.tolist())


def _interval(value: object) -> tuple[float, float]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise BadInput("interval", value, "must be two numbers, the lower first")
    low, high = validation.number("interval", value[0]), validation.number("interval", value[1])
    if low >= high:
        raise BadInput("interval", value, "must be two numbers, the lower first")
    return low, high


def _widths(hidden: object) -> list[int]:
    if isinstance(hidden, str) or not isinstance(hidden, Sequence) or not hidden:
        raise BadInput("hidden", hidden, "must be a list of layer widths such as [16]")
    return [1, *(validation.integer("hidden", width, low=1, high=4096) for width in hidden), 1]


def _layer_shapes(widths: list[int]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        yield f"{layer}.weight", (fan_out, fan_in)
        yield f"{layer}.bias", (fan_out,)
