"""The journal file of a study, with changes that are written in groups.

Optuna's own backend takes a lock, reads the file, appends and calls fsync for every change. A
hundred trials that are asked together need a few hundred of these; a group needs one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock

from gdexp.core import signals

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

TAKEN_OVER_SECONDS = 5
"""A lock file older than this was left by a kill; Optuna itself waits thirty seconds."""

LINES_AT_ONCE = 256
"""Lines that are decoded together: they share the strings of their keys, which take a third of
the memory of 100,000 trials, and are decoded in half the time."""


class FileReplaced(OSError):
    """The journal file is not the one that was opened."""


class Journal(BaseJournalBackend):
    """A journal file in Optuna's format, whose changes can be written in groups.

    Args:
        path: of the file; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        found = path.stat()
        self._identity = found.st_dev, found.st_ino
        self._lock = JournalFileOpenLock(str(path), grace_period=TAKEN_OVER_SECONDS)
        self._group: list[dict[str, Any]] | None = None
        self._lines: list[str] = []  # the same changes as text
        # Where the last read ended, in changes and in bytes.
        self._number = self._position = 0

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the changes from a number on, with those of an open group."""
        if self._group is None:
            return self._read(log_number_from)
        # The lock is held: after what was read at the start of the group there is only the group.
        return self._group[max(log_number_from - self._number, 0) :]

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write changes, or add them to the open group."""
        if self._group is None:
            with self._locked():
                self._append([_encode(log) for log in logs])
        else:
            self._add(logs)

    def append_group(self, logs: Sequence[dict[str, Any]]) -> None:
        """Add changes to the open group.

        Raises:
            RuntimeError: none is open.
        """
        if self._group is None:
            raise RuntimeError("changes are written together in a group only")
        self._add(logs)

    def _add(self, logs: Iterable[dict[str, Any]]) -> None:
        """Add changes to the group, in the form that they have when they are read from the file."""
        lines = [_encode(log) for log in logs]
        if self._group is not None and lines:
            self._lines += lines
            self._group += json.loads(f"[{','.join(lines)}]")

    @contextmanager
    def grouped_writes(self, storage: JournalStorage) -> Iterator[None]:
        """Write all changes made inside at once, at the end; a kill or an error leaves none.

        Other processes wait, so the group must end long before `TAKEN_OVER_SECONDS`. Only the
        thread that opened the group may use the storage. After an error the storage has read
        changes that were never written, and must be made anew.

        Args:
            storage: that uses this journal.
        """
        with self._locked():
            _read_changes(storage)  # of others: the changes of the group are numbered after them
            self._group, self._lines = [], []
            try:
                yield
                _read_changes(storage)  # of the group, while they are at hand
                written = self._lines
            except BaseException:
                self._number = self._position = 0  # the new storage reads from the start
                raise
            finally:
                self._group = None
            if written:
                with signals.shielded():
                    self._position = self._append(written)
                    self._number += len(written)

    def cut_torn_line(self) -> None:
        """Cut off an unfinished last line that a kill left; it would spoil the next line.

        This takes the lock, because another process may be writing a line.
        """
        if self._group is None:  # else the lock is held, and nothing of the group is written yet
            with self._locked():
                _cut_torn_line(self.path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        taken = False
        try:
            with signals.shielded():  # no signal between the lock and the next line
                taken = self._lock.acquire()
            yield
        finally:
            if taken:
                self._lock.release()

    def _append(self, lines: Sequence[str]) -> int:
        """Append changes to the file; return its new size in bytes."""
        # Not "ab", which would create a file that was deleted.
        with self.path.open("rb+") as file:
            self._check_file(file)
            file.seek(0, os.SEEK_END)
            file.write("".join(f"{line}\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
            return file.tell()

    def _check_file(self, file: IO[bytes]) -> None:
        """Check that an opened file is still this journal.

        Raises:
            FileReplaced: another file has its name, or its end was cut off.
        """
        found = os.fstat(file.fileno())
        if (found.st_dev, found.st_ino) != self._identity or found.st_size < self._position:
            raise FileReplaced(self.path)

    def _read(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the changes of the file from a number on; an unfinished line is left for later.

        Optuna usually goes on where the last read ended. For an earlier change the file is read
        from the start.
        """
        if log_number_from < self._number:
            self._number = self._position = 0
        with self.path.open("rb") as file:
            self._check_file(file)
            file.seek(self._position)
            while lines := list(islice(file, LINES_AT_ONCE)):
                whole = [line for line in lines if line.endswith(b"\n")]
                known = max(log_number_from - self._number, 0)
                self._number += len(whole)
                self._position += sum(map(len, whole))
                yield from json.loads(b"[%b]" % b",".join(whole[known:]))
                if len(whole) < len(lines):
                    return


def _read_changes(storage: JournalStorage) -> None:
    """Let a storage read the changes that it does not know yet.

    Any question does that; this one copies nothing.
    """
    with suppress(KeyError):
        storage.get_study_id_from_name("")


def _encode(log: dict[str, Any]) -> str:
    return json.dumps(log, separators=(",", ":"))


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
