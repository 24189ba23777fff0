"""Parameter groups: by pattern from a config, or as the user's code returns them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import torch
from torch import nn

from gdexp.core import BadInput, nearest

MATCH, MODULE = "match", "module"
"""The keys of a group that choose parameters: by their names, by the classes of their modules."""

SHOWN = 3
"""The most names in an error."""

Check = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""It checks a group's hyperparameters, given its key for errors, and returns them."""


class Group(NamedTuple):
    """Parameters with their names, and the hyperparameters that are their own."""

    names: list[str]
    parameters: list[nn.Parameter]
    options: dict[str, Any]


def named_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters to train by name; tied weights once, by their first name.

    Raises:
        BadInput: there are none.
    """
    found = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if not found:
        why = "has no parameter to train: none requires a gradient"
        raise BadInput("problem", type(model).__name__, why)
    return found


def groups_by_pattern(
    model: nn.Module, patterns: Sequence[Mapping[str, Any]] | None, check: Check
) -> list[Group]:
    """Return the groups that a config describes.

    A parameter is in the first group that matches it. Those that none matches are in one group
    before all others, with the optimizer's own hyperparameters.

    Args:
        model: the model.
        patterns: groups with `match` (names such as `*.bias`), `module` (names of classes such as
            `*Norm*`), or both, each a pattern or a list of patterns; and hyperparameters.
        check: checks the hyperparameters.

    Raises:
        BadInput: a group chooses nothing, or has a hyperparameter that is refused.
    """
    left = named_parameters(model)
    owners = {
        f"{path}.{name}" if path else name: type(module).__name__
        for path, module in model.named_modules()
        for name, _ in module.named_parameters(recurse=False)
    }
    every = dict(left)
    found: list[Group] = []
    for i, given in enumerate(patterns or ()):
        key = f"groups[{i}]"
        if not isinstance(given, Mapping):
            raise BadInput(key, given, "must be a group such as {match: '*.bias', weight_decay: 0}")
        names, classes = _patterns(key, given, MATCH), _patterns(key, given, MODULE)
        if names is None and classes is None:
            raise BadInput(key, dict(given), "must say which parameters, as match or module")
        chosen = [name for name in every if _fits(name, names) and _fits(owners[name], classes)]
        if not chosen:
            patterns_text = " ".join([*(names or ()), *(classes or ())])
            known = every if names is not None else set(owners.values())
            raise BadInput(
                f"{key}.{MATCH if names is not None else MODULE}",
                patterns_text,
                f"matches no parameter; {nearest(patterns_text, known)}",
            )
        own = [name for name in chosen if name in left]
        if not own:
            raise BadInput(f"{key}.{MATCH}", chosen[0], "all that it matches is in earlier groups")
        options = {k: v for k, v in given.items() if k not in (MATCH, MODULE)}
        parameters = [left.pop(name) for name in own]
        found.append(Group(own, parameters, dict(check(key, options))))
    rest = [Group(list(left), list(left.values()), {})] if left else []
    return rest + found


def groups_of_user(
    model: nn.Module, given: Sequence[Mapping[str, Any]], where: str = "parameter_groups"
) -> list[Group]:
    """Return the groups that `Training.parameter_groups` returned.

    Args:
        model: the model.
        given: dictionaries as torch's optimizers take them: `params`, tensors or pairs of names
            and tensors, and hyperparameters.
        where: what returned them, for errors.

    Raises:
        BadInput: a parameter is in no group or in two, or a group has a tensor of another model.
    """
    left = named_parameters(model)
    names = {id(each): name for name, each in model.named_parameters()}
    taken: set[str] = set()
    found: list[Group] = []
    if not isinstance(given, list | tuple) or not given:
        raise BadInput("problem", where, "must return a list of groups with params")
    for group in given:
        if not isinstance(group, Mapping) or "params" not in group:
            raise BadInput("problem", where, "must return a list of groups with params")
        members = list(_tensors(group["params"], where))
        own = []
        for each in members:
            name = names.get(id(each))
            if name is None:
                raise BadInput("problem", where, "returned a tensor that is no parameter of model")
            if name in taken:
                raise BadInput("problem", where, f"has the parameter {name} twice")
            taken.add(name)
            left.pop(name, None)
            own.append(name)
        found.append(Group(own, members, {k: v for k, v in group.items() if k != "params"}))
    if left:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        shown = ", ".join(list(left)[:SHOWN])
        raise BadInput("problem", where, f"has no group for the parameter {shown}{more}")
    return found


def _tensors(given: object, where: str) -> Iterator[nn.Parameter]:
    """Yield the tensors of a group's `params`."""
    members: Iterable[Any] = [given] if isinstance(given, torch.Tensor) else given  # type: ignore[assignment]
    if not isinstance(members, Iterable):
        raise BadInput("problem", where, "must return groups whose params are tensors")
    for each in members:
        tensor = each[1] if isinstance(each, tuple) and len(each) == 2 else each
        if not isinstance(tensor, torch.Tensor):
            raise BadInput("problem", where, "must return groups whose params are tensors")
        yield tensor  # type: ignore[misc]


def _patterns(key: str, given: Mapping[str, Any], name: str) -> list[str] | None:
    if given.get(name) is None:
        return None
    patterns = given[name] if isinstance(given[name], list | tuple) else [given[name]]
    for each in patterns:
        if not isinstance(each, str) or not each:
            raise BadInput(f"{key}.{name}", each, "must be a pattern such as *.bias, or a list")
    return list(patterns)


def _fits(name: str, patterns: Sequence[str] | None) -> bool:
    return patterns is None or any(fnmatchcase(name, each) for each in patterns)
