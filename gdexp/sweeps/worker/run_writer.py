"""Writing runs: at once, or to a server in a background thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from gdexp.core import submit_in_context
from gdexp.tracking import PlannedRun, Record

T = TypeVar("T")

Runs = Sequence[tuple[PlannedRun, Record]]


class RunWriter(AbstractContextManager["RunWriter[T]"], Generic[T]):
    """Writes runs in order, and returns what belongs to the runs that are written.

    A server takes time for each call. So a thread writes its runs, one batch at a time, while the
    next descents go on. Nothing is lost: the study is told only of runs that are written, and an
    error ends the sweep at the next batch.

    Args:
        write: writes runs; they are stored when it returns.
        in_background: whether a thread calls it.
    """

    def __init__(self, write: Callable[[Runs], None], in_background: bool) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, "gdexp-writing") if in_background else None
        self._in_progress: tuple[Future[None], Sequence[T]] | None = None

    def __exit__(self, *ended: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)

    def write(self, runs: Runs, items: Sequence[T]) -> Sequence[T]:
        """Write runs, at once or in the background.

        Args:
            runs: the runs.
            items: belong to these runs.

        Returns:
            The items of runs that are now written: of these, or in the background of those before.

        Raises:
            StorageFailed: these runs, or those before, could not be written.
        """
        if self._thread is None:
            self._write(runs)
            return items
        before = self.finish()
        self._in_progress = submit_in_context(self._thread, self._write, runs), items
        return before

    def finish(self) -> Sequence[T]:
        """Wait until all runs are written, and return the items that `write` has not returned."""
        if self._in_progress is None:
            return []
        (future, items), self._in_progress = self._in_progress, None
        future.result()
        return items
