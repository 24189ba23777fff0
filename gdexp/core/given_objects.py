"""Objects of a Python session that have no import path: they are given to a call by hand.

A class of a notebook, a closure or a changed instance cannot be imported by another process. A
config names it by a path below `gdexp.objects`, with a digest of its code and values. The object
itself is there only inside the call that gave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar

from gdexp.core.contexts import context_value
from gdexp.core.errors import BadInput

PREFIX = "gdexp.objects."
"""The beginning of the paths; there is no such module."""

_GIVEN: ContextVar[Mapping[str, object]] = ContextVar("gdexp_given_objects", default={})  # noqa: B039 (never changed)


def given_path(name: str, digest: str) -> str:
    """Return the path of an object.

    Args:
        name: of its class or function.
        digest: hex digits that tell it from others of this name.
    """
    word = name if name.isidentifier() else "function"
    return f"{PREFIX}{word}_{digest}"


def is_given(path: object) -> bool:
    """Return whether a path names an object of a Python session."""
    return isinstance(path, str) and path.startswith(PREFIX)


def given_name(path: str) -> str:
    """Return the name of the class or function in a path."""
    return path.removeprefix(PREFIX).rpartition("_")[0]


def giving(objects: Mapping[str, object]) -> AbstractContextManager[None]:
    """Let the paths of objects be found inside the block, beside those that are already.

    Args:
        objects: by their paths.
    """
    return context_value(_GIVEN, {**_GIVEN.get(), **objects})


def given_object(path: str) -> object:
    """Return the object that a path below `gdexp.objects` names.

    Raises:
        BadInput: the running call was not given it.
    """
    known = _GIVEN.get()
    if path not in known:
        raise BadInput("path", path, not_rerunnable(path))
    return known[path]


def is_missing(path: str) -> bool:
    """Return whether a path names an object that the running call was not given."""
    return is_given(path) and path not in _GIVEN.get()


def not_rerunnable(path: str, run: str = "RUN_ID", key: str = "problem") -> str:
    """Return why the run of an object cannot be repeated as it stands, and how it can.

    Args:
        path: of the object.
        run: the id of the run.
        key: the argument that takes the object: `problem` or `optimizer`.
    """
    name = given_name(path)
    return (
        f"not rerunnable: pass {key}=. {name} was an object of a Python session and has no import "
        f"path; gdexp.rerun({run!r}, {key}={name}) repeats it where that object is"
    )
