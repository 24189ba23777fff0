"""The registry of update rules, by the names that `optimizer=` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdexp import config
from gdexp.core import BadInput
from gdexp.optimizers.accelerated import FastGradient, OptimizedGradient, OptimizedGradientG
from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.conditioned import ChebyshevSemiIteration, TripleMomentum
from gdexp.optimizers.descent_directions import ConjugateGradients, ExactLineSearch, Wolfe
from gdexp.optimizers.line_search import Armijo
from gdexp.optimizers.local_curvature import AdGD, BarzilaiBorwein
from gdexp.optimizers.momentum import GradientDescent, Momentum, Nesterov
from gdexp.optimizers.own_classes import CUSTOM, check_trust, keywords, made_by_path
from gdexp.optimizers.polyak import Polyak, PolyakLevel
from gdexp.optimizers.schedules import Schedule
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
        FastGradient,
        OptimizedGradient,
        OptimizedGradientG,
        TripleMomentum,
        ChebyshevSemiIteration,
        Polyak,
        PolyakLevel,
        BarzilaiBorwein,
        AdGD,
        Armijo,
        Wolfe,
        ExactLineSearch,
        ConjugateGradients,
        TorchOptimizer,
    )
}


def build_rule(group: object, trust: Sequence[str] = ()) -> UpdateRule:
    """Return the update rule of the config group `optimizer`.

    Args:
        group: `name`, and the arguments of that rule.
        trust: the import paths that it may name. An import runs code, so a path from a stored
            config is refused until a person names it here.

    Raises:
        BadInput: a name or key is unknown, or the rule refuses a value; the key is named in full.
    """
    if isinstance(group, Mapping):
        try:
            check_trust(group, trust)
        except BadInput as error:
            raise error.in_section("optimizer") from None
    known: dict[str, Callable[..., UpdateRule]] = {**RULES, CUSTOM: custom_rule}
    return config.choose("optimizer", known, group)


def custom_rule(
    path: str,
    lr: float | None = None,
    arguments: Mapping[str, object] | None = None,
    schedule: Schedule | Mapping[str, Any] | None = None,
) -> UpdateRule:
    """Return the update rule of a user's own class, for `optimizer=custom`.

    Args:
        path: `package.module.attribute` of a subclass of `UpdateRule`.
        lr: its learning rate; None: the class's own.
        arguments: its other keyword arguments.
        schedule: of the learning rate; constant by default.

    Raises:
        BadInput: the path names no such class, or the class refuses an argument.
    """
    given = keywords(arguments)
    for key, value in (("lr", lr), ("schedule", schedule)):
        if key in given:
            raise BadInput(f"arguments.{key}", given[key], f"is given beside arguments, as {key}")
        if value is not None:
            given[key] = value
    made: UpdateRule = made_by_path(path, UpdateRule, given)
    return made
