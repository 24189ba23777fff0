"""The state of an optimizer with the names of its parameters, in its exact dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from gdexp.core import GdexpError
from gdexp.optimizers import put_state, stored_state
from gdexp.training.updates.groups import Group


def optimizer_state(optimizer: torch.optim.Optimizer, groups: Sequence[Group]) -> dict[str, Any]:
    """Return the state of an optimizer.

    Args:
        optimizer: its parameters are those of the groups, in this order.
        groups: for the names.
    """
    return {
        "class": type(optimizer).__name__,
        "names": [list(each.names) for each in groups],
        "shapes": [[list(p.shape) for p in each.parameters] for each in groups],
        **stored_state(optimizer),
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, groups: Sequence[Group], state: Mapping[str, Any]
) -> None:
    """Give a new optimizer a state; parameters are found by name.

    Raises:
        GdexpError: the state is one of another class or of other parameters; it names them.
    """
    _check(optimizer, groups, state)
    put_state(optimizer, _in_order(groups, state), state["attributes"])


def _check(
    optimizer: torch.optim.Optimizer, groups: Sequence[Group], state: Mapping[str, Any]
) -> None:
    name = type(optimizer).__name__
    if state["class"] != name:
        raise GdexpError(f"the checkpoint is of the optimizer {state['class']}, not {name}")
    stored = {
        name: tuple(shape)
        for names, shapes in zip(state["names"], state["shapes"], strict=True)
        for name, shape in zip(names, shapes, strict=True)
    }
    now = {n: tuple(p.shape) for g in groups for n, p in zip(g.names, g.parameters, strict=True)}
    for name in sorted(stored.keys() | now.keys()):
        there, here = stored.get(name, "none"), now.get(name, "none")
        if there != here:
            raise GdexpError(
                f"the checkpoint's parameter {name} has shape {there}, the model's has {here}"
            )
    if [set(each) for each in state["names"]] != [set(each.names) for each in groups]:
        raise GdexpError("the checkpoint's parameter groups have other parameters")


def _in_order(groups: Sequence[Group], state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the optimizer's state with the positions that its parameters have now."""
    before = [name for names in state["names"] for name in names]
    now = {name: i for i, name in enumerate(name for each in groups for name in each.names)}
    own = dict(state["own"])
    own["state"] = {
        now[before[index]] if isinstance(index, int) else index: value
        for index, value in own["state"].items()
    }
    return own
