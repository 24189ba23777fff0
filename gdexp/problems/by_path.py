"""Objects of the user's own, named by their import path."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from gdexp.core import (
    BadInput,
    WorkEnded,
    described_error,
    given_object,
    guarded_import,
    is_given,
    nearest,
    validation,
    watched,
)


@contextmanager
def user_modules_first() -> Iterator[None]:
    """Let the user's modules be found before installed ones that have the same name.

    Outside of the block the current directory comes last, where it shadows none of the modules
    that gdexp and its libraries import. Inside no bytecode is stored: Python would take it for
    that of an edited file of the same second and size, and the loss before the edit would run.
    """
    here = os.getcwd()
    if not {"", here} & set(sys.path):
        sys.path.append(here)  # for good: the user's functions may import more later
    if not sys.flags.safe_path:
        sys.path.insert(0, here)
    try:
        with guarded_import():
            yield
    finally:
        if not sys.flags.safe_path:
            with suppress(ValueError):  # the user's code may have removed it
                sys.path.remove(here)


def load_by_path(path: str) -> object:
    """Return the object that an import path names, and note its modules as the user's own code.

    Raises:
        BadInput: as `import_by_path`.
    """
    with watched(path) as code, user_modules_first():
        named = import_by_path(path)
        code.note_modules()
    return named


def import_by_path(path: str) -> object:
    """Return the object that `package.module.attribute` names, also in the current directory.

    The import runs the module's code, so the path must come from a person at this machine.

    Raises:
        BadInput: it says in one line which part is missing, or why the import failed.
    """
    if is_given(path):
        return given_object(path)
    names = validation.text("path", path).split(".")
    if len(names) < 2 or not all(name.isidentifier() for name in names):
        raise BadInput("path", path, "must be of the form package.module.attribute")
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    module, rest = _longest_module(path, names)
    owner: object = module
    for name in rest:
        if not hasattr(owner, name):
            public = [n for n in dir(owner) if not n.startswith("_")]
            owner_name = getattr(owner, "__name__", type(owner).__name__)
            reason = _shadowed(owner) or nearest(name, public)
            raise BadInput("path", path, f"{owner_name} has no {name!r}: {reason}")
        owner = getattr(owner, name)
    return owner


def _shadowed(module: object) -> str:
    """Return what to do where a file here has the name of a module that is loaded already."""
    name, file = getattr(module, "__name__", ""), getattr(module, "__file__", None)
    here = os.path.join(os.getcwd(), f"{name}.py")
    if not name.isidentifier() or file is None or not os.path.exists(here):
        return ""
    same = os.path.exists(file) and os.path.samefile(file, here)
    return "" if same else f"it is {file}; rename {name}.py, which has the same name"


def _longest_module(path: str, names: list[str]) -> tuple[object, list[str]]:
    """Import the module of the longest prefix; return it and the remaining names."""
    module: object = None
    for used in range(1, len(names)):
        name = ".".join(names[:used])
        try:
            module = import_module(name)
        except WorkEnded:
            raise
        except BaseException as error:
            missing = isinstance(error, ModuleNotFoundError) and error.name == name
            if missing and module is not None:
                return module, names[used - 1 :]
            if missing:
                raise BadInput("path", path, f"there is no module {name!r} to import") from None
            reason = described_error(error)
            raise BadInput("path", path, f"importing {name} failed: {reason}") from error
    return module, names[-1:]
