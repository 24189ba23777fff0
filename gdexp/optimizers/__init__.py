"""Update rules: how the next point follows from the gradient.

Seven rules are pure functions of point, gradient, state and coefficients; `torch` runs any
class of torch.optim through the same loop.
"""

from __future__ import annotations

from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import State, Step, UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.optimizers.torch_optim import TorchOptimizer

__all__ = [
    "RULES",
    "Adagrad",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Momentum",
    "Nesterov",
    "RMSprop",
    "State",
    "Step",
    "TorchOptimizer",
    "UpdateRule",
]

RULES: dict[str, type[UpdateRule]] = {
    cls.name: cls
    for cls in (
        GradientDescent,
        Momentum,
        Nesterov,
        Adagrad,
        RMSprop,
        Adam,
        AdamW,
        TorchOptimizer,
    )
}
