"""When a training is saved, and the signals that wait for it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch

from gdexp.checkpoints import CheckpointFolder
from gdexp.core import GdexpError, signals

SHARE = 0.02
"""The largest share of the time that checkpoints may take; large states are saved less often."""


class Checkpointing:
    """The checkpoints of one descent while it runs.

    Args:
        folder: where they are.
        every: seconds between two checkpoints; None: only where a signal ends the run.
        identity: what must be the same when the descent goes on, such as its signature; by name.

    Attributes:
        warnings: what was found of checkpoints that could not be used.
        resumed_at: the updates of the checkpoint that was loaded; None if there was none.
    """

    def __init__(
        self, folder: CheckpointFolder, every: float | None, identity: Mapping[str, str]
    ) -> None:
        self.folder, self._identity = folder, dict(identity)
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
        self.folder.save(number, {"identity": self._identity, "descent": state})
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
        number, state, warnings = found
        stored = state["identity"]
        for name, own in self._identity.items():
            there = stored.get(name)
            if there != own:
                raise GdexpError(
                    f"checkpoint {self.folder.path}: its {name} is {there}, this descent's is {own}"
                )
        self.warnings += warnings
        self.resumed_at = number
        return state["descent"]

    def remove(self) -> None:
        """Remove the checkpoints of a descent that has ended."""
        self.folder.remove()
