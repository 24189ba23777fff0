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

from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock

from gdexp.core import signals

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
        self.path = path
        path.touch()
        self._lock = JournalFileOpenLock(str(path), grace_period=TAKEN_OVER_SECONDS)
        self._group: list[dict[str, Any]] | None = None
        # What was read last ended here, in changes and in bytes.
        self._number = self._position = 0

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """The changes from a number on, those of an open group among them."""
        if self._group is None:
            return self._read(log_number_from)
        # The lock is held: beyond what was read when the group began there is only the group.
        return self._group[max(log_number_from - self._number, 0) :]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write changes, or keep them for the end of an open group."""
        if self._group is None:
            with self._locked():
                self._append(logs)
        else:
            # As they come back from the file, in which tuples are lists.
            self._group += json.loads(json.dumps(logs))

    @contextmanager
    def grouped_writes(self, storage: JournalStorage) -> Iterator[None]:
        """Write all changes made inside at once, at the end; a kill or an error leaves none.

        Other processes wait meanwhile, so it must be over long before `TAKEN_OVER_SECONDS`, and
        only the thread that opened it may use the storage. After an error the storage has seen
        changes that never were, and must forget what it knows.

        Args:
            storage: that uses this journal.
        """
        with self._locked():
            # Everything others have written is read first: what comes now is numbered after it.
            storage.get_all_studies()
            self._group = []
            try:
                yield
                written = self._group
            except BaseException:
                self._number = self._position = 0  # the storage begins anew
                raise
            finally:
                self._group = None
            if written:
                with signals.shielded():
                    self._position = self._append(written)
                    self._number += len(written)

    def cut_torn_line(self) -> None:
        """Cut off a last line that a kill left unfinished: what is written after it would be lost.

        Under the lock: another process may just be writing a line.
        """
        if self._group is None:  # else the lock is held already, and nothing is written yet
            with self._locked():
                _cut_torn_line(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        taken = False
        try:
            with signals.shielded():  # no signal between the lock and the note of it
                taken = self._lock.acquire()
            yield
        finally:
            if taken:
                self._lock.release()

    def _append(self, logs: Iterable[dict[str, Any]]) -> int:
        """Write changes to the end of the file; returns where that is then."""
        lines = [json.dumps(log, separators=(",", ":")) + "\n" for log in logs]
        with self.path.open("ab") as file:
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def _read(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The changes of the file from a number on; a line that is not whole is not read yet.

        Optuna goes on from where it was. Anything earlier is looked for from the beginning.
        """
        if log_number_from < self._number:
            self._number = self._position = 0
        with self.path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._number += 1
                self._position += len(line)
                if self._number > log_number_from:
                    yield json.loads(line)


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
