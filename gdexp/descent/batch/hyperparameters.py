"""The hyperparameters of many rules of one class, as the coefficients of one update.

`UpdateRule.coefficients` is written for one rule and computes in double precision. Here it
computes for many at once, on one rule whose float fields are arrays (see `UpdateRule`); a rule
whose code does not take arrays is asked rule by rule.
"""

from __future__ import annotations

import copy
import ctypes
import dataclasses
from collections.abc import Callable, Hashable, Iterator, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gdexp.optimizers import Step, UpdateRule

T = TypeVar("T")

Coefficients = tuple[Any, ...]
"""One entry per argument of `update`: a plain value that all rules share, or an array of them."""


class Hyperparameters:
    """The distinct rules of a batch and which row has which.

    Args:
        rules: distinct rules of one class that differ in numbers only (see `kinds`).
        which: for each row the position of its rule, shape (rows,).
    """

    def __init__(self, rules: Sequence[UpdateRule], which: npt.NDArray[np.int64]) -> None:
        self.rules = list(rules)
        self.which = which
        self._together: UpdateRule | None = self.rules[0]
        if len(self.rules) > 1:
            self._together = _combined(self.rules)
        self._final: Coefficients | None = None
        self._settled_from: int | None = None

    def part(self, rows: slice | npt.NDArray[np.int64]) -> Hyperparameters:
        """Those of some of the rows, with the rules that these have."""
        used, which = _used(self.which[rows])
        part = copy.copy(self)
        part.which = which
        part.rules = [self.rules[i] for i in used.tolist()]
        if len(part.rules) == 1:
            part._together = part.rules[0]
        elif self._together is not None:
            part._together = _taken(self._together, self.rules[0], used)
        return part

    def __len__(self) -> int:
        return len(self.rules)

    @property
    def update(self) -> Step:
        """The update that all rows share."""
        return self.rules[0].update

    def constant_from(self, iteration: int) -> bool | npt.NDArray[np.bool_]:
        """Whether the coefficients change no more from an iteration on; per rule if it differs."""
        if self._settled_from is not None and iteration >= self._settled_from:
            return True
        told = self.ask(lambda rule: rule.constant_from(iteration))
        if told is None:
            told = [rule.constant_from(iteration) for rule in self.rules]
        settled = np.asarray(told, dtype=bool)
        if settled.all():
            self._settled_from = iteration
            return True
        return settled if settled.any() else False

    def coefficients(self, iteration: int) -> Coefficients:
        """The coefficients of an iteration, one value per distinct rule where they differ."""
        if self._final is not None:
            return self._final
        told = self.ask(lambda rule: rule.coefficients(iteration))
        if told is None:
            rows = zip(*(rule.coefficients(iteration) for rule in self.rules), strict=True)
            told = tuple(_column(list(values)) for values in rows)
        found: Coefficients = told
        if self._settled_from is not None and iteration >= self._settled_from:
            self._final = found
        return found

    def ask(self, question: Callable[[UpdateRule], Any]) -> Any:  # noqa: ANN401
        """What the rule whose fields are arrays says; None when its code takes none."""
        if self._together is None:
            return None
        try:
            return question(self._together)
        except (TypeError, ValueError):
            # A branch on an array, or a function of `math`: from now on rule by rule.
            if len(self.rules) == 1:
                raise
            self._together = None
            return None


def divided(
    own: list[UpdateRule], which: npt.NDArray[np.int64], in_order: bool
) -> Iterator[tuple[npt.NDArray[np.int64], Hyperparameters]]:
    """The rows by the kind of their rule: those whose rules differ in numbers only.

    Args:
        own: the distinct rules, of one class.
        which: for each row the position of its rule.
        in_order: keep the rows in the order given, so that rows of another kind part others.
    """
    labels = kinds(own)
    position = {label: i for i, label in enumerate(dict.fromkeys(labels))}
    if len(position) == 1:
        yield np.arange(len(which)), Hyperparameters(own, which)
        return
    kind = np.array([position[label] for label in labels])[which]
    rows = np.arange(len(which)) if in_order else np.argsort(kind, kind="stable")
    groups = np.split(rows, np.flatnonzero(np.diff(kind[rows])) + 1)
    for group in sorted(groups, key=lambda group: int(group[0])):
        used, positions = _used(which[group])
        yield group, Hyperparameters([own[i] for i in used.tolist()], positions)


def distinct(objects: Sequence[T]) -> tuple[list[T], npt.NDArray[np.int64]]:
    """The different objects among many, by identity, and for each place which one is there."""
    ids = _ids(objects)
    begins = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
    if len(begins) == 1:
        return [objects[0]], np.zeros(len(objects), dtype=np.int64)
    runs = ids[begins]  # equal ones stand side by side more often than not
    ordered = np.sort(runs)
    if (ordered[1:] != ordered[:-1]).all():
        own, which = begins, np.arange(len(begins))
    else:
        _, first, which = np.unique(runs, return_index=True, return_inverse=True)
        own = begins[first]
    if len(begins) < len(ids):
        which = np.repeat(which, np.diff(np.append(begins, len(ids))))
    elif len(own) == len(ids):
        return list(objects), which
    return [objects[i] for i in own.tolist()], which


def _ids(objects: Sequence[T]) -> npt.NDArray[np.uint64]:
    """The identities of objects: the references that an array of them holds."""
    array = np.fromiter(objects, dtype=object, count=len(objects))
    memory: Any = (ctypes.c_char * array.nbytes).from_address(array.ctypes.data)
    return np.array(np.frombuffer(memory, dtype=np.dtype(np.uintp)), dtype=np.uint64)


def _used(which: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The positions that occur, and for each place which of them is there."""
    if len(which) and (np.diff(which) == 1).all():
        return which, np.arange(len(which))
    return np.unique(which, return_inverse=True)


def kinds(rules: Sequence[UpdateRule]) -> list[Hashable]:
    """For each of some rules of one class a label, equal where they differ in numbers only.

    One update serves all rules of a label.
    """
    labels: list[tuple[Hashable, ...]] = [()] * len(rules)
    for field in dataclasses.fields(rules[0]):
        values = list(map(attrgetter(field.name), rules))
        if all(map(_is_number_type, set(map(type, values)))) or _all_equal(values):
            continue
        labels = [(*label, _label(value)) for label, value in zip(labels, values, strict=True)]
    return list(labels)


def _label(value: object) -> Hashable:
    if _is_number_type(type(value)):
        return float
    try:
        return type(value), hash(value), value
    except TypeError:
        return id(value)


def _combined(rules: list[UpdateRule]) -> UpdateRule:
    """One rule whose differing fields are arrays, made without its checks of single values."""
    together = object.__new__(type(rules[0]))
    for field in dataclasses.fields(rules[0]):
        column = _column(list(map(attrgetter(field.name), rules)))
        object.__setattr__(together, field.name, column)
    return together


def _taken(together: UpdateRule, one: UpdateRule, used: npt.NDArray[np.int64]) -> UpdateRule:
    """Of the rule that was combined of `one` and others: that of some of them."""
    taken = object.__new__(type(together))
    for field in dataclasses.fields(together):
        value = getattr(together, field.name)
        combined = isinstance(value, np.ndarray) and value is not getattr(one, field.name)
        object.__setattr__(taken, field.name, value[used] if combined else value)
    return taken


def _column(values: list[Any]) -> Any:  # noqa: ANN401
    """One value when all are the same, else an array of shape (rules,)."""
    return values[0] if _all_equal(values) else np.array(values, dtype=np.float64)


def _all_equal(values: list[Any]) -> bool:
    """Equal, and of one type and one sign: 1 and 1.0 differ, and so do 0.0 and -0.0."""
    if len(set(map(type, values))) > 1 or values.count(values[0]) < len(values):
        return False
    return bool(values[0] != 0) or len(set(map(repr, values))) == 1


def _is_number_type(kind: type) -> bool:
    return issubclass(kind, int | float) and not issubclass(kind, bool)
