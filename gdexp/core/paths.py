"""The folder in which the running command was typed: relative paths start there.

Hydra can move a job to a folder of its own (`hydra.job.chdir`). A path that the user typed still
means the folder where it was typed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path

from gdexp.core.contexts import context_value

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
