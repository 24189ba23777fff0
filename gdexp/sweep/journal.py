"""The journal file that a study lives in: opened whole, and written to in groups.

Optuna appends to it once for every change, each time with a lock, an fsync and a look at the
file. A hundred trials that are asked together would be a few hundred of those; here one is enough.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileOpenLock

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

TAKEN_OVER_SECONDS = 5
"""A lock file older than this was left by a kill; Optuna's own patience is thirty seconds."""


class Journal(BaseJournalBackend):
    """Optuna's journal file, with changes that can be written together.

    Args:
        path: of the file; created when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._lock = JournalFileOpenLock(self._path, grace_period=TAKEN_OVER_SECONDS)
        self._file = JournalFileBackend(self._path, lock_obj=self._lock)
        self._group: list[dict[str, Any]] | None = None
        self._before = 0
        self._read = 0

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """The changes from a number on, those of an open group among them."""
        if self._group is None:
            return self._counted(log_number_from)
        # The lock is held: beyond what was read when the group began there is only the group.
        return self._group[max(log_number_from - self._before, 0) :]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write changes, or keep them for the end of an open group."""
        if self._group is None:
            self._file.append_logs(logs)
        else:
            # As they come back from the file, in which tuples are lists.
            self._group += json.loads(json.dumps(logs))

    @contextmanager
    def together(self, storage: JournalStorage) -> Iterator[None]:
        """Write all changes made inside at once, at the end; a kill before that leaves none.

        Other processes wait meanwhile, so it must be over long before `TAKEN_OVER_SECONDS`, and
        only the thread that opened it may use the storage.

        Args:
            storage: that uses this journal.
        """
        self._lock.acquire()
        try:
            # Everything others have written is read first: what comes now is numbered after it.
            storage.get_all_studies()
            self._before, self._group = self._read, []
            try:
                yield
            finally:
                written, self._group = self._group, None
                if written:
                    self._append(written)
        finally:
            self._lock.release()

    def _append(self, logs: Iterable[dict[str, Any]]) -> None:
        lines = [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]
        with open(self._path, "ab") as file:
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())

    def cut_torn_line(self) -> None:
        """Cut off a last line that a kill left unfinished: what is written after it would be lost.

        Under the lock: another process may just be writing a line.
        """
        self._lock.acquire()
        try:
            _cut_torn_line(Path(self._path))
        finally:
            self._lock.release()

    def _counted(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Changes of the file, counting how many there are."""
        self._read = max(self._read, log_number_from)
        for number, log in enumerate(self._file.read_logs(log_number_from), log_number_from + 1):
            self._read = max(self._read, number)
            yield log


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        keep = end
        while keep:
            begin = max(keep - 4096, 0)
            file.seek(begin)
            chunk = file.read(keep - begin)
            newline = chunk.rfind(b"\n")
            if newline >= 0:
                keep = begin + newline + 1
                break
            keep = begin
        if keep < end:
            file.truncate(keep)
            os.fsync(file.fileno())
