"""The study's storage: no signal in the middle of an operation, and errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from gdexp import interrupts
from gdexp.errors import StorageFailed
from gdexp.faults import reason


class StudyStorage(JournalStorage):
    """Optuna's journal storage, safe to be interrupted.

    Interrupted halfway, its picture of the study would miss the line that it was at, and the file
    could keep half a line, which spoils every line after it.

    Args:
        backend: reads and writes the lines.
        path: of the journal file.

    Raises:
        StorageFailed: from every method: the file cannot be read or written.
    """

    def __init__(self, backend: BaseJournalBackend, path: Path) -> None:
        self.path = path
        with _reported(path):
            super().__init__(backend)


def mend(path: Path) -> None:
    """Undo what a kill left in the middle of a write. Nothing else may be using the journal."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    for leftover in path.parent.glob(f"{path.name}.lock*.rename"):
        leftover.unlink(missing_ok=True)
    if path.exists():
        cut_torn_line(path)


def cut_torn_line(path: Path) -> None:
    """Cut off a last line that is unfinished: anything written after it would be lost."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        keep = end
        while keep:
            begin = max(keep - 4096, 0)
            file.seek(begin)
            newline = file.read(keep - begin).rfind(b"\n")
            if newline >= 0:
                keep = begin + newline + 1
                break
            keep = begin
        if keep < end:
            file.truncate(keep)
            os.fsync(file.fileno())


def _whole(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the storage, shielded and reported."""

    @wraps(method)
    def whole(self: StudyStorage, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        with interrupts.shielded(), _reported(self.path):
            return method(self, *args, **kwargs)

    return whole


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            cut_torn_line(path)  # what a full disk took of the last write
        raise StorageFailed(f"sweep.storage={path}: {reason(error)}") from error


for _name, _method in list(vars(JournalStorage).items()):
    if callable(_method) and not _name.startswith("_"):
        setattr(StudyStorage, _name, _whole(_method))
