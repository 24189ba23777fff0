"""gdexp's update rules on named tensors, behind torch's optimizer interface."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import torch

from gdexp.core import BadInput, nearest
from gdexp.optimizers import Constant, UpdateRule

_STATE = "state"
_COUNT = "step"
_BETAS = "betas"


class RuleOptimizer(torch.optim.Optimizer):
    """One update rule for each parameter, in the parameter's own shape.

    A group's hyperparameters are the rule's fields, read anew at each step, so that schedulers may
    change them: `lr`, which may also be 0, `momentum`, and the pair `betas` of beta1 and beta2.

    Args:
        groups: dictionaries with `params` and hyperparameters of their own.
        rule: the rule; its schedule is not used.

    Raises:
        BadInput: the rule does not take a hyperparameter, or refuses its value; the key is that
            of the hyperparameter.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]], rule: UpdateRule) -> None:
        if rule.searches or type(rule).update is UpdateRule.update:
            raise BadInput("name", rule.name, "reads losses between updates; trainings cannot")
        self.rule = replace(rule, schedule=Constant())  # type: ignore[call-arg]
        for each in groups:
            self.checked({k: v for k, v in each.items() if k != "params"})
        defaults = {each.name: getattr(rule, each.name) for each in _fields(rule)}
        if {"beta1", "beta2"} <= defaults.keys():
            defaults[_BETAS] = (defaults.pop("beta1"), defaults.pop("beta2"))
        super().__init__([_with_betas(each, defaults) for each in groups], defaults)

    def checked(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return hyperparameters of a group.

        Raises:
            BadInput: the rule does not take one of them, or refuses its value.
        """
        allowed = [each.name for each in _fields(self.rule)]
        for key, value in options.items():
            if key not in allowed:
                raise BadInput(key, value, f"unknown key; {nearest(key, allowed)}")
        replace(self.rule, **options)
        return options

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update each parameter that has a gradient; the gradients are no longer of use then."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule = self._of_group(group)
            coefficients: dict[int, tuple[Any, ...]] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                own = self.state[parameter]
                count = own.get(_COUNT, 0) + 1
                if count not in coefficients:
                    coefficients[count] = rule.coefficients(count)
                own[_STATE] = rule.update_in_place(
                    parameter, parameter.grad, own.get(_STATE, ()), *coefficients[count]
                )
                own[_COUNT] = count
        return loss

    def _of_group(self, group: Mapping[str, Any]) -> UpdateRule:
        """Return the rule with a group's hyperparameters, which schedulers may have set to 0."""
        rule = copy.copy(self.rule)
        for key, value in group.items():
            if key == _BETAS:
                object.__setattr__(rule, "beta1", value[0])
                object.__setattr__(rule, "beta2", value[1])
            elif hasattr(rule, key):
                object.__setattr__(rule, key, value)
        return rule


def _fields(rule: UpdateRule) -> list[Any]:
    return [each for each in fields(rule) if each.name != "schedule" and each.init]


def _with_betas(group: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group with its beta1 and beta2 as the pair `betas`."""
    made = dict(group)
    if _BETAS in defaults:
        first, second = defaults[_BETAS]
        made[_BETAS] = (made.pop("beta1", first), made.pop("beta2", second))
    return made
