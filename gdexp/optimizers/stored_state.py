"""The state of an optimizer of torch as data, put back in its exact dtypes.

`Optimizer.load_state_dict` of torch casts floating state to the dtype of its parameter. So the
state is put in place here, except for classes that load their state in their own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_BASE = torch.optim.Optimizer


def stored_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the state of an optimizer: nested dicts of plain values and of tensors in use."""
    return {"own": optimizer.state_dict(), "attributes": _attributes(optimizer)}


def put_state(
    optimizer: torch.optim.Optimizer, own: Mapping[str, Any], attributes: Mapping[str, Any]
) -> None:
    """Give a new optimizer the state that `stored_state` returned.

    Args:
        optimizer: of the same class, with the same parameters.
        own: its `state_dict`, with the positions that the parameters have now.
        attributes: the attributes of its own.
    """
    if type(optimizer).load_state_dict is not _BASE.load_state_dict:
        optimizer.load_state_dict(dict(own))
    else:
        members = [each for group in optimizer.param_groups for each in group["params"]]
        optimizer.state.clear()
        for index, value in own["state"].items():
            if isinstance(index, int):
                optimizer.state[members[index]] = _copied(value)
            else:
                optimizer.state[index] = _copied(value)
        for group, stored in zip(optimizer.param_groups, own["param_groups"], strict=True):
            group.update({k: _copied(v) for k, v in stored.items() if k != "params"})
    for name, value in attributes.items():
        setattr(optimizer, name, _copied(value))


def _attributes(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return the numbers and tensors that a class keeps beside `state` and `param_groups`."""
    base = vars(torch.optim.SGD([torch.zeros(1)])).keys()
    kinds = (bool, int, float, str, torch.Tensor)
    return {
        name: value
        for name, value in vars(optimizer).items()
        if name not in base and isinstance(value, kinds)
    }


def _copied(value: object) -> Any:  # noqa: ANN401
    """Return containers anew, with copies of their tensors."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _copied(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    return value
