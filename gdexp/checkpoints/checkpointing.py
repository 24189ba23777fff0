"""When a descent or training is saved, and the signals that wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch

from gdexp.checkpoints.folder import CheckpointFolder
from gdexp.core import GdexpError, signals

SHARE = 0.02
"""The largest share of the time that checkpoints may take; large states are saved less often."""

SHORT = 1.0
"""Seconds. A descent that a signal ends earlier is not saved: it is made again as fast."""

About = Mapping[str, Any]
"""What a descent is; values for JSON."""

Differs = Callable[[About], str | None]
"""It returns how the descent of a checkpoint differs from this one; None if it does not."""


class Checkpointing(AbstractContextManager["Checkpointing"]):
    """The checkpoints of one descent while it runs.

    Inside its block no other process goes on with the descent. Nothing is written before the
    first checkpoint.

    Args:
        folder: where they are.
        every: seconds between two checkpoints; None: only where a signal ends the run.
        about: what the descent is, or what returns it when it is needed.
        differs: compares a checkpoint's `about` with this descent.
        drops_others: whether a checkpoint of another descent is removed, with a warning; else it
            is an error.
        warn: is told, at once, of each checkpoint that cannot be used.

    Attributes:
        resumed_at: the updates of the checkpoint that was loaded; None if there was none.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        every: float | None,
        about: About | Callable[[], About],
        differs: Differs = lambda about: None,
        drops_others: bool = False,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder, self._about, self._differs = folder, about, differs
        self._drops_others, self._warn = drops_others, warn
        self._every = math.inf if every is None else every
        self._began = time.monotonic()
        self._next = self._began + self._every
        self._own: ExitStack | None = None
        self._locked = False
        self.resumed_at: int | None = None

    def __enter__(self) -> Checkpointing:
        self._own, self._locked = ExitStack(), False
        if self.folder.numbers():
            self._lock()
        return self

    def __exit__(self, *ended: object) -> None:
        if self._own is not None:
            self._own.close()
        self._own = None

    def shielded(self) -> AbstractContextManager[None]:
        """Hold a signal back until the next update, after which a checkpoint is made."""
        return signals.shielded()

    def is_due(self) -> bool:
        """Return whether a checkpoint is to be made after the next update."""
        return time.monotonic() >= self._next or signals.received()

    def is_due_now(self) -> bool:
        """Return whether a descent is to be saved between two updates.

        Raises:
            Interrupted: a signal has come, and the descent is too short to be saved.
        """
        now = time.monotonic()
        if signals.received() and now - self._began < SHORT:
            signals.check(within_shields=True)
        return now >= self._next or signals.received()

    def save(self, number: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            StorageFailed: the disk does not take it.
            GdexpError: the state holds something that is no data.
        """
        if callable(self._about):
            self._about = self._about()
        began = time.monotonic()
        self._lock()
        self.folder.save(number, state, self._about)
        ended = time.monotonic()
        self._next = ended + max(self._every, (ended - began) / SHARE)

    def load(self, device: torch.device | str = "cpu") -> Any:  # noqa: ANN401
        """Return the state of the newest checkpoint that is whole; None where there is none.

        Raises:
            GdexpError: it is of another descent, or all are damaged; the reason is named.
        """
        try:
            found = self.folder.load(device) if self.folder.numbers() else None
        except GdexpError as error:
            self._begin_again(str(error))
            return None
        if found is None:
            return None
        reason = self._differs(found.about)
        if reason is not None:
            self.refuse(reason)
            return None
        for each in found.warnings:
            self._warn(each)
        self.resumed_at = found.number
        return found.state

    def refuse(self, reason: str) -> None:
        """Remove checkpoints that cannot be used, with a warning.

        Raises:
            GdexpError: the descent is not to begin again.
        """
        self._begin_again(f"checkpoint {self.folder.path}: {reason}")

    def _begin_again(self, reason: str) -> None:
        if not self._drops_others:
            raise GdexpError(reason)
        self._warn(f"{reason}; the descent begins again")
        self.resumed_at = None
        self.folder.clear()

    def _lock(self) -> None:
        """Keep other processes from the descent until the end of the block, if there is one."""
        if self._own is not None and not self._locked:
            self._own.enter_context(self.folder.locked())
            self._locked = True
