"""What one descent computes: its loss with gradient, and its update rule, as programs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from gdexp.engine.gradient_norm import GRADIENT_NORM
from gdexp.engine.program import Program


@dataclass(frozen=True, eq=False)
class Plan:
    """The programs of a descent.

    Shapes are those of the problem's x; all programs have one dtype.

    Attributes:
        evaluate: from `x` to `loss`, of shape (), and `gradient`, of the shape of x. Where
            thresholds are of the gradient norm it gives `gradient_norm` too, of shape ().
        first: the first update: from `x`, `loss`, `gradient` and `coefficient0`, … (of shape ())
            to the next `x` and to `state0`, …
        update: every later one; it also takes `state0`, … Any of the inputs may be missing. A
            boolean result `accepted`, of shape (), says whether the point that was evaluated is
            an iterate; where it is false the point was a trial of a line search: its loss is not
            recorded and the iteration is not counted. Without that result every point is one.
        coefficients: how many numbers the rule takes from each iteration.
    """

    evaluate: Program
    first: Program
    update: Program
    coefficients: int

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of x."""
        return self.evaluate.nodes[self.evaluate.outputs["gradient"]].shape

    @cached_property
    def has_norms(self) -> bool:
        """Whether thresholds are of the gradient norm."""
        return GRADIENT_NORM in self.evaluate.outputs

    @cached_property
    def state_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the states, in their order."""
        outputs = self.update.outputs
        count = sum(name.startswith("state") for name in outputs)
        return [self.update.nodes[outputs[f"state{i}"]].shape for i in range(count)]

    @property
    def dtype(self) -> str:
        """float32 or float64."""
        return self.evaluate.dtype

    @cached_property
    def constants_sha256(self) -> str:
        """The digest of the programs' constants: types, shapes and bytes, in their order."""
        total = hashlib.sha256()
        for program in (self.evaluate, self.first, self.update):
            for constant in program.constants:
                total.update(f"{constant.dtype.str}{constant.shape}".encode())
                total.update(constant.tobytes())
        return total.hexdigest()

    @cached_property
    def sha256(self) -> str:
        """The digest of all three programs."""
        joined = "".join(each.sha256 for each in (self.evaluate, self.first, self.update))
        return hashlib.sha256(joined.encode()).hexdigest()
