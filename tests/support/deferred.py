"""Imports of test modules that are made when the first test runs, not while tests are collected.

torch, MLflow and Optuna take many seconds to import, and a run that selects two tests, or lists
all, needs none of them. So while pytest collects, an import of them in a module below `tests`
binds a placeholder. A placeholder can be called, and its attributes can be read, so that
`@pytest.mark.parametrize("rule", [Adam(lr=0.1), Momentum()])` and `{"float": torch.float32}` are
written as usual. Before the first test runs, every placeholder in the modules' variables and in
the parameters of tests becomes the object that it stands for.

A class whose base is a placeholder is a placeholder itself. What a placeholder cannot do at module
level: be iterated over, be the default value of a parameter, or stand in a strategy of Hypothesis.
"""

from __future__ import annotations

import builtins
import dataclasses
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType, new_class
from typing import Any

import pytest

LIBRARIES = frozenset((
    *("matplotlib", "mlflow", "optuna", "plotly", "pyarrow"),
    *("scipy", "selenium", "sqlalchemy", "torch"),
))  # fmt: skip
OURS = frozenset(("benchmarks", "gdexp", "scripts"))
"""Packages that import these libraries."""

LIGHT = frozenset({"config", "core", "hydra_plugins", "version"})
"""The rooms of gdexp that import none of them."""

_import = builtins.__import__


class Deferred(ABC):
    """Stands for an object that nothing has imported yet.

    Args:
        text: the expression that gives the object, for the names of tests.
    """

    def __init__(self, text: str) -> None:
        self._text = self.__name__ = text
        self._value: Any = None

    def __repr__(self) -> str:
        return self._text

    def __call__(self, *arguments: object, **named: object) -> Deferred:
        return _Call(self, arguments, named)

    def __getattr__(self, name: str) -> Deferred:
        if name.startswith(("__", "_pytest")):  # what pytest and the standard library look for
            raise AttributeError(name)
        return _Attribute(self, name)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{self} is imported when tests run: do not iterate over it before")

    def __mro_entries__(self, bases: tuple[object, ...]) -> tuple[type, ...]:
        return (_Base,)

    def value(self) -> Any:
        """The object, made once."""
        if self._value is None:
            self._value = self._made()
        return self._value

    @abstractmethod
    def _made(self) -> Any:
        """Make the object."""


class _Module(Deferred):
    """`import torch`."""

    def __getattr__(self, name: str) -> Any:
        if self._text == "gdexp" and name in LIGHT:
            return import_module(f"gdexp.{name}")
        return super().__getattr__(name)

    def _made(self) -> Any:
        return import_module(self._text)


class _Attribute(Deferred):
    """`torch.float32`, and `from torch import float32`."""

    def __init__(self, owner: Deferred, name: str) -> None:
        super().__init__(name if isinstance(owner, _Module) else f"{owner}.{name}")
        self._owner, self._name = owner, name

    def _made(self) -> Any:
        owner = self._owner.value()
        if isinstance(owner, ModuleType) and not hasattr(owner, self._name):
            return import_module(f"{owner.__name__}.{self._name}")
        return getattr(owner, self._name)


class _Call(Deferred):
    """`Adam(lr=0.1)`."""

    def __init__(
        self, function: Deferred, arguments: Sequence[object], named: Mapping[str, object]
    ) -> None:
        given = [*map(repr, arguments), *(f"{key}={value!r}" for key, value in named.items())]
        super().__init__(f"{function}({', '.join(given)})")
        self._function, self._arguments, self._named = function, arguments, named

    def _made(self) -> Any:
        return self._function.value()(*imported(self._arguments), **imported(self._named))


class _Class(Deferred):
    """`class Bowl(Problem): …`."""

    def __init__(self, name: str, bases: Sequence[object], body: dict[str, Any]) -> None:
        super().__init__(name)
        self._bases, self._body = bases, body

    def _made(self) -> Any:
        bases = tuple(imported(base) for base in self._bases)
        body = {name: imported(value) for name, value in self._body.items()}
        return new_class(self._text, bases, exec_body=lambda namespace: namespace.update(body))


class _Later(type):
    """Makes placeholders in place of classes."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        if bases:
            return _Class(name, body.pop("__orig_bases__"), body)
        return super().__new__(cls, name, bases, body)


class _Base(metaclass=_Later):
    """What a placeholder puts in its place among the bases of a class."""


def imported(value: Any) -> Any:
    """The same value with objects in place of placeholders, in lists, tuples and dicts too."""
    if isinstance(value, Deferred):
        return value.value()
    if type(value) in (list, tuple):
        parts = [imported(part) for part in value]
        changed = any(new is not old for new, old in zip(parts, value, strict=True))
        return type(value)(parts) if changed else value
    if type(value) is dict:
        pairs = {imported(key): imported(part) for key, part in value.items()}
        changed = any(
            new is not old
            for pair, now in zip(value.items(), pairs.items(), strict=True)
            for old, new in zip(pair, now, strict=True)
        )
        return pairs if changed else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        if any(isinstance(field, Deferred) for field in fields.values()):
            return dataclasses.replace(value, **imported(fields))
    return value


def _importing(
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002
    locals: Mapping[str, Any] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Any:
    """`__import__`, but with placeholders for the test modules."""
    test_module = (globals or {}).get("__name__", "").startswith("tests.")
    if not test_module or level or not _slow(name, fromlist):
        return _import(name, globals, locals, fromlist or (), level)
    return _Module(name if fromlist else name.partition(".")[0])


def _slow(name: str, fromlist: Sequence[str] | None) -> bool:
    top, _, room = name.partition(".")
    if top not in OURS:
        return top in LIBRARIES
    return room.partition(".")[0] not in LIGHT if room else bool(fromlist)


class DeferredImports:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self._waiting = False

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        with _deferring():
            yield
        self._waiting = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        if self._waiting:
            self._waiting = False
            for name, module in list(sys.modules.items()):
                if name.startswith("tests."):
                    for key, value in list(vars(module).items()):
                        setattr(module, key, imported(value))
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            for name, value in item.callspec.params.items():
                item.callspec.params[name] = imported(value)


@contextmanager
def _deferring() -> Iterator[None]:
    builtins.__import__ = _importing
    try:
        yield
    finally:
        builtins.__import__ = _import
