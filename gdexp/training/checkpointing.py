"""When a training is saved, and the signals that wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch

from gdexp.checkpoints import CheckpointFolder
from gdexp.core import GdexpError, signals

SHARE = 0.02
"""The largest share of the time that checkpoints may take; large states are saved less often."""

Differs = Callable[[Mapping[str, Any]], str | None]
"""It returns how the descent of a checkpoint differs from this one; None if it does not."""


class Checkpointing:
    """The checkpoints of one descent while it runs.

    Args:
        folder: where they are.
        every: seconds between two checkpoints; None: only where a signal ends the run.
        about: what the descent is; values for JSON.
        differs: compares a checkpoint's `about` with this descent.
        drops_others: whether a checkpoint of another descent is removed, with a warning; else it
            is an error.

    Attributes:
        warnings: what was found of checkpoints that could not be used.
        resumed_at: the updates of the checkpoint that was loaded; None if there was none.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        every: float | None,
        about: Mapping[str, Any],
        differs: Differs = lambda about: None,
        drops_others: bool = False,
    ) -> None:
        self.folder, self._about, self._differs = folder, dict(about), differs
        self._drops_others = drops_others
        self._every = math.inf if every is None else every
        self._next = time.monotonic() + self._every
        self.warnings: list[str] = []
        self.resumed_at: int | None = None

    def shielded(self) -> AbstractContextManager[None]:
        """Hold a signal back until the next update, after which a checkpoint is made."""
        return signals.shielded()

    def is_due(self) -> bool:
        """Return whether a checkpoint is to be made after the next update."""
        return time.monotonic() >= self._next or signals.received()

    def save(self, number: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint.

        Raises:
            StorageFailed: the disk does not take it.
            GdexpError: the state holds something that is no data.
        """
        began = time.monotonic()
        self.folder.save(number, state, self._about)
        ended = time.monotonic()
        self._next = ended + max(self._every, (ended - began) / SHARE)

    def load(self, device: torch.device | str = "cpu") -> Any:  # noqa: ANN401
        """Return the state of the newest checkpoint; None where there is none.

        Raises:
            GdexpError: it is of another descent; what differs is named.
        """
        found = self.folder.load(device)
        if found is None:
            return None
        reason = self._differs(found.about)
        if reason is not None:
            said = f"checkpoint {self.folder.path}: {reason}"
            if not self._drops_others:
                raise GdexpError(said)
            self.warnings.append(f"{said}; the descent begins again")
            self.folder.remove()
            return None
        self.warnings += found.warnings
        self.resumed_at = found.number
        return found.state
