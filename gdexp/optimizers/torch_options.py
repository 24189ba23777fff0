"""Types and ranges of the options of torch.optim's classes; torch itself checks few of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gdexp.core import BadInput, validation

Check = Callable[[str, object], object]


def _share(key: str, value: object) -> float:
    """A number from 0 to 1."""
    result = validation.non_negative(key, value)
    if result > 1:
        raise BadInput(key, value, "must be from 0 to 1")
    return result


def _numbers(key: str, value: object) -> None:
    """Check a list of numbers."""
    if not isinstance(value, list | tuple):
        raise BadInput(key, value, "must be a list of numbers")
    for each in value:
        validation.number(key, each)


_COUNT = partial(validation.integer, low=1, high=10**9)

CHECKS: Mapping[str, Check] = {
    **dict.fromkeys(("momentum", "dampening"), validation.fraction),
    **dict.fromkeys(("rho", "RMSprop.alpha"), _share),
    **dict.fromkeys(
        (
            *("weight_decay", "lr_decay", "initial_accumulator_value", "momentum_decay", "lambd"),
            *("ASGD.alpha", "t0", "tolerance_grad", "tolerance_change"),
        ),
        validation.non_negative,
    ),
    **dict.fromkeys(("max_iter", "max_eval", "history_size", "ns_steps"), _COUNT),
    **dict.fromkeys(("betas", "etas", "step_sizes", "ns_coefficients"), _numbers),
}
"""The check of an option, by its name or by class and name."""


def check_option(class_name: str, key: str, value: object, parameter: inspect.Parameter) -> None:
    """Check one option; those without an entry in `CHECKS` by the type of their default.

    Args:
        class_name: of torch.optim.
        key: of the option.
        value: that was given.
        parameter: of the class.

    Raises:
        BadInput: another type, or out of range; the key has the form `options.KEY`.
    """
    default: Any = parameter.default
    check = CHECKS.get(f"{class_name}.{key}", CHECKS.get(key))
    if value is None and default is None:
        return
    if check is None and isinstance(default, bool):
        check = validation.boolean
    elif check is None and isinstance(default, int | float):
        check = validation.non_negative if key == "eps" else validation.number
    if check is not None:
        check(f"options.{key}", value)
