"""The user's training class, named by its import path."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from gdexp.core import BadInput, GdexpError, code_failed, watched
from gdexp.descent import MODES
from gdexp.problems import load_by_path, user_modules_first
from gdexp.training.training import Training


@dataclass(frozen=True)
class TrainingClass:
    """A user's class and the arguments of its objects.

    Attributes:
        path: `package.module.Class`.
        make: the class, or a function that returns a training.
        arguments: by name.
    """

    path: str
    make: Callable[..., object]
    arguments: Mapping[str, Any]

    @classmethod
    def named(cls, path: str, arguments: Mapping[str, Any] | None) -> TrainingClass:
        """Return the class that a path names. Its module's code runs.

        Raises:
            BadInput: the path names nothing that can be imported, or no training; or it does not
                take the arguments.
        """
        given = dict(arguments or {})
        named = load_by_path(path)
        if (isinstance(named, type) and not issubclass(named, Training)) or not callable(named):
            kind = named.__name__ if isinstance(named, type) else type(named).__name__
            raise BadInput("path", path, f"must name a subclass of gdexp.Training, not {kind}")
        missing = sorted(getattr(named, "__abstractmethods__", ()))
        if missing:
            raise BadInput("path", path, f"lacks the methods {', '.join(missing)}")
        make = cast(Callable[..., object], named)
        check_arguments(path, make, given)
        return cls(path, make, given)

    @property
    def name(self) -> str:
        """The name of the problem: that of the class, in lower case."""
        return str(getattr(self.make, "__name__", type(self.make).__name__)).lower()

    @property
    def modes(self) -> Mapping[str, str]:
        """The directions of metrics that the class declares."""
        return declared_modes(self.path, getattr(self.make, "modes", {}))

    def instance(self) -> Training:
        """Return a new object of the class; the files that it reads become part of the identity.

        Raises:
            GdexpError: its constructor failed.
        """
        with watched(self.path) as code, user_modules_first():
            try:
                made = self.make(**self.arguments)
            except GdexpError:
                raise
            except (Exception, SystemExit, KeyboardInterrupt) as error:
                raise code_failed(self.path, error) from error
            if not isinstance(made, Training):
                kind = type(made).__name__
                raise BadInput("path", self.path, f"returned a {kind}, not a gdexp.Training")
            code.declare(made.files)
        return made


def check_arguments(
    path: str, make: Callable[..., object], arguments: Mapping[str, Any], *positional: object
) -> None:
    """Refuse arguments that a class or function does not take.

    Args:
        path: of the class or function.
        make: it.
        arguments: by name.
        positional: arguments that come first.
    """
    try:
        signature = inspect.signature(make)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*positional, **arguments)
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
