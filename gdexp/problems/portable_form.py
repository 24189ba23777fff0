"""The form of a problem that the portable engine computes: its constants are portable."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import torch

from gdexp.engine import HIDDEN, TensorDigests, exact_processor, fingerprint

MADE, KEPT = f"{HIDDEN}constants", f"{HIDDEN}form"
"""The attributes of a problem that hold its constants as they were made, and its form."""

P = TypeVar("P")


class Constant:
    """A constant as it was made, to see whether it was changed since.

    Args:
        value: the constant.
        changed: whether it was changed before; a copy of a tensor has no history of its own.
    """

    def __init__(self, value: object, changed: bool = False) -> None:
        self._value, self._changed = value, changed
        self._version = _version(value)

    def is_still(self, value: object) -> bool:
        """Return whether a value is the one that was made."""
        if self._has_changed:
            return False
        if isinstance(self._value, torch.Tensor):
            return value is self._value
        return type(value) is type(self._value) and value == self._value

    @property
    def _has_changed(self) -> bool:
        return self._changed or _version(self._value) != self._version

    def __deepcopy__(self, memo: dict[int, object]) -> Constant:
        return Constant(copy.deepcopy(self._value, memo), self._has_changed)

    def __reduce__(self) -> tuple[type[Constant], tuple[object, bool]]:
        return Constant, (self._value, self._has_changed)


def _version(value: object) -> int:
    return value._version if isinstance(value, torch.Tensor) else 0


class Form:
    """A portable form, with what it was made of; it is not copied or pickled with the problem.

    Args:
        key: the fingerprint of the problem.
        held: the objects that the key names by their ids.
        problem: the form.
        digests: of the problem's tensors.
    """

    def __init__(
        self, key: Hashable, held: list[object], problem: object, digests: TensorDigests
    ) -> None:
        self.key, self.held, self.problem, self.digests = key, held, problem, digests

    def __deepcopy__(self, memo: object) -> None:
        return None

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def set_constants(problem: object, constants: Mapping[str, object]) -> None:
    """Set a problem's constants while it is made.

    Args:
        problem: the problem.
        constants: by the names of its attributes.
    """
    vars(problem).update(constants)
    vars(problem)[MADE] = {name: Constant(value) for name, value in constants.items()}


def unchanged_constants(problem: object) -> list[str]:
    """Return the names of the constants that are as they were made."""
    own = vars(problem)
    made: Mapping[str, Constant] = own.get(MADE, {})
    return [name for name, constant in made.items() if constant.is_still(own.get(name))]


def converted_constants(problem: object, clone: object) -> None:
    """Note of a copy in another dtype which constants are still those that were made."""
    if MADE in vars(problem):
        kept = {name: vars(clone)[name] for name in unchanged_constants(problem)}
        vars(clone)[MADE] = {name: Constant(value) for name, value in kept.items()}


def portable_form(
    problem: P, make: Callable[[], Mapping[str, object]], parts: Mapping[str, object] | None = None
) -> P:
    """Return a copy of a problem with portable constants, made once.

    A constant that was changed after the problem was made stays as it is.

    Args:
        problem: the problem.
        make: returns portable constants by the names of attributes.
        parts: attributes that are problems themselves, in their portable form.
    """
    own, parts = vars(problem), parts or {}
    names = unchanged_constants(problem)
    if not names and all(own[name] is part for name, part in parts.items()):
        return problem
    kept = own.get(KEPT)
    digests = kept.digests if isinstance(kept, Form) else TensorDigests()
    key, held = fingerprint(problem, digests)
    if isinstance(kept, Form) and kept.key == key:
        found: P = kept.problem  # type: ignore[assignment]
        if all(vars(found)[name] is part for name, part in parts.items()):
            return found
    with exact_processor(torch.device("cpu"), 1):
        constants = make()
    form = copy.copy(problem)
    for name in [name for name in own if name.startswith(HIDDEN)]:
        del vars(form)[name]
    vars(form).update(parts)
    vars(form).update({name: constants[name] for name in names})
    own[KEPT] = Form(key, held, form, digests)
    return form
