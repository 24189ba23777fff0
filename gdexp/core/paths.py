"""The directory where the user stands: relative paths are taken from there.

Hydra can move a job to a directory of its own (`hydra.job.chdir`); what the user typed still
means the place where it was typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_stack: list[Path] = []


def command_folder() -> Path:
    """Where the running command was typed; the current directory when none is running."""
    return _stack[-1] if _stack else Path.cwd()


def shown_path(path: Path) -> str:
    """A path as people read it: from where they stand, where it is below."""
    try:
        return str(path.relative_to(command_folder()))
    except ValueError:
        return str(path)


@contextmanager
def standing() -> Iterator[None]:
    """Hold the current directory as the place of a command."""
    _stack.append(Path.cwd())
    try:
        yield
    finally:
        _stack.pop()
