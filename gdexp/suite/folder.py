"""The folder of a benchmark: its definition, the cells that are done, and its lock.

A cell is a file that is written beside its place and moved there, so it is whole or absent: a
benchmark that was killed goes on with the cells that are missing.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gdexp.core import (
    BadInput,
    StorageFailed,
    StudyInUse,
    failure_reason,
    process_exists,
    shown_path,
    signals,
)
from gdexp.suite.cells import Cell

WORKERS_SECONDS = 30.0
"""Workers whose driver was killed end by themselves within this time."""

DEFINITION, LOCK, RATES, CELLS = "definition.json", "lock", "rates", "cells"


@dataclass(frozen=True)
class Folder:
    """Where a benchmark keeps what it has done.

    Attributes:
        path: of the folder.
    """

    path: Path

    def check(self, definition: Mapping[str, Any]) -> None:
        """Refuse a folder of another benchmark.

        Raises:
            BadInput: its definition is another one, or it is no folder of a benchmark.
            StorageFailed: it cannot be read.
        """
        with self._errors():
            if not self.path.exists():
                return
            try:
                known = json.loads((self.path / DEFINITION).read_text(encoding="utf-8"))
            except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
                if self.path.is_dir() and not any(self.path.iterdir()):
                    return
                raise self._refusal("holds no benchmark; give another name") from None
        if known != definition:
            keys = sorted(k for k in definition if known.get(k) != definition[k])
            names = f"{', '.join(keys) or 'its version'} {'differ' if keys[1:] else 'differs'}"
            raise self._refusal(f"is another benchmark ({names}); give another name")

    def _refusal(self, allowed: str) -> BadInput:
        return BadInput("benchmark.name", self.path.name, allowed)

    def create(self, definition: Mapping[str, Any]) -> None:
        """Make the folder, and write its definition."""
        with self._errors():
            for part in (RATES, CELLS):
                (self.path / part).mkdir(parents=True, exist_ok=True)
        if not (self.path / DEFINITION).exists():
            self.write(DEFINITION, json.dumps(definition, indent=2) + "\n")

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the folder for this process and its workers; yield the descriptor.

        Raises:
            StudyInUse: another process holds it.
        """
        with self._errors():
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._take(handle)
            with contextlib.suppress(OSError):
                os.truncate(handle, 0)
                os.pwrite(handle, str(os.getpid()).encode(), 0)
            yield handle
        finally:
            os.close(handle)

    def _take(self, handle: int) -> None:
        """Take the lock; wait for workers whose driver was killed."""
        until = time.monotonic() + WORKERS_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 20, 0).decode().strip()
                alone = holder.isdigit() and not process_exists(int(holder))
                if not alone or time.monotonic() > until:
                    raise StudyInUse(
                        f"benchmark.name={self.path.name}: process {holder or 'unknown'} works on "
                        "this benchmark; wait for it, end it, or give another benchmark.name"
                    ) from None
            else:
                return
            signals.check()
            time.sleep(0.1)

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file as a whole, or not at all."""
        place = self.path / name
        data = content.encode() if isinstance(content, str) else content
        with signals.shielded(), self._errors():
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(f".{place.name}.{os.getpid()}")
            try:
                with beside.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                beside.replace(place)
            finally:
                beside.unlink(missing_ok=True)

    def put(self, part: str, cell: Cell, data: Mapping[str, Any]) -> None:
        """Keep what was done of a cell.

        Args:
            part: rates or cells.
            cell: which it is.
            data: as JSON can hold it.
        """
        self.write(self._name(part, cell), json.dumps(data, separators=(",", ":")) + "\n")

    def get(self, part: str, cell: Cell) -> dict[str, Any] | None:
        """Return what was kept; None where there is nothing."""
        try:
            with self._errors():
                text = (self.path / self._name(part, cell)).read_text(encoding="utf-8")
        except StorageFailed as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        try:
            found: dict[str, Any] = json.loads(text)
        except json.JSONDecodeError:
            return None  # it is made again
        return found

    @staticmethod
    def _name(part: str, cell: Cell) -> str:
        safe = "".join(c if c.isalnum() or c in "-._" else "_" for c in cell.name)
        return f"{part}/{safe}.json"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except BadInput:
            raise
        except OSError as error:
            reason = failure_reason(error)
            raise StorageFailed(f"{shown_path(self.path)}: {reason}") from error
