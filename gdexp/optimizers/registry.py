"""The registry of update rules, by the names that `optimizer=` takes."""

from __future__ import annotations

from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.optimizers.torch_optim import TorchOptimizer

RULES: dict[str, type[UpdateRule]] = {
    rule.name: rule
    for rule in (
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
