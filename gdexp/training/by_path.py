"""The user's training class or loop, named by its import path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from gdexp.core import BadInput, code_errors, watched
from gdexp.descent import MODES
from gdexp.problems import load_by_path, user_modules_first
from gdexp.training.training import Training


@dataclass(frozen=True)
class UserCallable:
    """A class or function of the user's and the arguments that it is called with.

    Attributes:
        path: `package.module.attribute`.
        make: the class or function.
        arguments: by name.
    """

    path: str
    make: Callable[..., object]
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the problem: that of the class or function, in lower case."""
        return str(getattr(self.make, "__name__", type(self.make).__name__)).lower()

    @property
    def modes(self) -> Mapping[str, str]:
        """The directions of metrics that it declares."""
        return declared_modes(self.path, getattr(self.make, "modes", {}))


class TrainingClass(UserCallable):
    """A subclass of `Training`, or a function that returns one, with the arguments."""

    @classmethod
    def named(cls, path: str, arguments: Mapping[str, Any]) -> TrainingClass:
        """Return the class that a path names. Its module's code runs.

        Raises:
            BadInput: the path names nothing that can be imported, or no training; or it does not
                take the arguments.
        """
        named = load_by_path(path)
        if (isinstance(named, type) and not issubclass(named, Training)) or not callable(named):
            kind = named.__name__ if isinstance(named, type) else type(named).__name__
            raise BadInput("path", path, f"must name a subclass of gdexp.Training, not {kind}")
        missing = sorted(getattr(named, "__abstractmethods__", ()))
        if missing:
            raise BadInput("path", path, f"lacks the methods {', '.join(missing)}")
        make = cast(Callable[..., object], named)
        check_arguments(path, make, arguments)
        return cls(path, make, arguments)

    def instance(self) -> Training:
        """Return a new object of the class; the files that it reads become part of the identity.

        Raises:
            GdexpError: its constructor failed.
        """
        with watched(self.path) as code, user_modules_first():
            with code_errors(self.path):
                made = self.make(**self.arguments)
            if not isinstance(made, Training):
                kind = type(made).__name__
                raise BadInput("path", self.path, f"returned a {kind}, not a gdexp.Training")
            code.declare(made.files)
        return made


class LoopFunction(UserCallable):
    """A loop of the user's own: a generator function, or one that calls `gdexp.report`."""

    @classmethod
    def named(
        cls, path: str, arguments: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> LoopFunction:
        """Return the function that a path names. Its module's code runs.

        Args:
            path: of the function.
            arguments: that were given.
            settings: `seed`, `device` and `dtype`, for parameters of these names.

        Raises:
            BadInput: the path names nothing that can be imported, or no function; or it does not
                take the arguments.
        """
        named = load_by_path(path)
        if not callable(named) or isinstance(named, type):
            kind = named.__name__ if isinstance(named, type) else type(named).__name__
            raise BadInput("path", path, f"must name a function that yields metrics, not {kind}")
        make = cast(Callable[..., object], named)
        check_arguments(path, make, arguments, partial=True)
        taken = _parameters(make)
        own = {key: value for key, value in settings.items() if key in taken}
        whole = {**own, **arguments}
        checked = {**whole, "checkpoint": None} if "checkpoint" in taken else whole
        check_arguments(path, make, checked)
        return cls(path, make, whole)


def _parameters(function: Callable[..., object]) -> Collection[str]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return ()


def check_arguments(
    path: str, make: Callable[..., object], arguments: Mapping[str, Any], partial: bool = False
) -> None:
    """Refuse arguments that a class or function does not take.

    Args:
        path: of the class or function.
        make: it.
        arguments: by name.
        partial: whether more arguments will follow.
    """
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return
    try:
        (signature.bind_partial if partial else signature.bind)(**arguments)
    except TypeError as error:
        known = ", ".join(signature.parameters) or "none"
        raise BadInput("arguments", dict(arguments), f"{path} takes {known}: {error}") from None


def declared_modes(path: str, modes: object) -> Mapping[str, str]:
    """Return the directions of metrics that a class declares.

    Args:
        path: of the class, for the error.
        modes: metric to `min` or `max`.

    Raises:
        BadInput: they are something else.
    """
    if not isinstance(modes, Mapping) or not set(modes.values()) <= set(MODES):
        raise BadInput("path", path, 'its modes must be such as {"accuracy": "max"}')
    return modes
