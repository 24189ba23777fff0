"""A user's own update rules and schedules, by their import paths."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdexp.config import optimizer_paths
from gdexp.core import BadInput, code_errors, given_object, is_given
from gdexp.problems import load_by_path

CUSTOM = "custom"
"""The name of a user's own rule or schedule, which also needs a path."""


def check_trust(group: Mapping[str, Any], trust: Sequence[str]) -> None:
    """Refuse an import path that no person named on this machine: an import runs code.

    Raises:
        BadInput: `path` or `class_name`, by its key in the group.
    """
    for path in optimizer_paths(group):
        if is_given(path):
            given_object(path)  # the caller's own, or an error
        elif path not in trust:
            raise BadInput(
                "path", path, f"is not trusted to run: add trust=[{path}] if it is yours"
            )


def made_by_path(path: str, base: type[Any], arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return an object of a user's own class, made with these arguments.

    Args:
        path: `package.module.attribute` of the class.
        base: what it must be a subclass of.
        arguments: keyword arguments.

    Raises:
        BadInput: the path names no such class, or the class refuses an argument.
    """
    make: Any = load_by_path(path)
    if not inspect.isclass(make) or not issubclass(make, base):
        raise BadInput("path", path, f"must name a subclass of gdexp.{base.__name__}")
    build: Callable[..., Any] = make
    try:
        inspect.signature(build).bind(**arguments)
    except TypeError as error:
        raise BadInput(
            "arguments", dict(arguments), f"{path} does not take them: {error}"
        ) from None
    with code_errors(path, "optimizer"):
        return build(**arguments)


def keywords(arguments: object) -> dict[str, Any]:
    """Return a group of keyword arguments; None counts as none."""
    if arguments is None:
        return {}
    if not isinstance(arguments, Mapping):
        raise BadInput("arguments", arguments, "must be a group of keyword arguments: {name: 1}")
    return dict(arguments)
