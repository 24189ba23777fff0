"""The folder in which the running command was typed: relative paths start there.

Hydra can move a job to a folder of its own (`hydra.job.chdir`). A path that the user typed still
means the folder where it was typed.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path

from gdexp.core.contexts import context_value
from gdexp.core.errors import BadInput

_FOLDER: ContextVar[Path | None] = ContextVar("gdexp_command_folder", default=None)


def command_folder() -> Path:
    """Return the folder of the running command; the current directory when none is running."""
    return _FOLDER.get() or Path.cwd()


def shown_path(path: Path) -> str:
    """Return a path as text, relative to the command's folder when it is below that folder."""
    try:
        return str(path.relative_to(command_folder()))
    except ValueError:
        return str(path)


def keep_folder(folder: Path) -> AbstractContextManager[None]:
    """Make `folder` the command's folder inside the block."""
    return context_value(_FOLDER, folder)


LONGEST_NAME, LONGEST_PATH = 255, 4000
"""Bytes that a file's name and a path may have on the usual file systems."""


def check_file_name(key: str, path: Path, spare: int = 0) -> None:
    """Check that a path can be the name of a file.

    Args:
        key: that names the path.
        path: of the file.
        spare: bytes that are added to the name for files beside it.

    Raises:
        BadInput: a name in it is too long, or it holds a null character.
    """
    if "\0" in str(path):
        raise BadInput(key, str(path), "must hold no null character")
    most = LONGEST_NAME - spare
    if any(len(os.fsencode(name)) > LONGEST_NAME for name in path.parts) or (
        len(os.fsencode(path.name)) > most
    ):
        raise BadInput(key, str(path), f"has a name that is too long: at most {most} bytes")
    if len(os.fsencode(path)) + spare > LONGEST_PATH:
        raise BadInput(key, str(path), f"is too long: at most {LONGEST_PATH - spare:,} bytes")
