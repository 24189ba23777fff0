"""Handing trials over to where they are kept: at once here, behind the descents to a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Generic, TypeVar

from gdexp.tracking import PlannedRun, Record

T = TypeVar("T")

Runs = Sequence[tuple[PlannedRun, Record]]


class Writing(AbstractContextManager["Writing[T]"], Generic[T]):
    """Writes runs in order and says which of them are there.

    A server takes its time for every call, so its runs are written by a thread of their own while
    the next descents go on, one batch at a time. Nothing is lost by that: only a run that the
    server has finished is told to the study, and an error ends the sweep at the next batch.

    Args:
        write: writes runs; when it returns they are there.
        behind: whether it takes its time.
    """

    def __init__(self, write: Callable[[Runs], None], behind: bool) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, "gdexp-writing") if behind else None
        self._going: tuple[Future[None], Sequence[T]] | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)

    def write(self, runs: Runs, marks: Sequence[T]) -> Sequence[T]:
        """Write runs; returns the marks of those that are known to be there by now.

        Raises:
            StorageFailed: this batch, or the one before it, could not be written.
        """
        if self._thread is None:
            self._write(runs)
            return marks
        before = self.finish()
        self._going = self._thread.submit(self._write, runs), marks
        return before

    def finish(self) -> Sequence[T]:
        """Wait for what is still being written; returns its marks."""
        if self._going is None:
            return []
        (future, marks), self._going = self._going, None
        future.result()
        return marks
