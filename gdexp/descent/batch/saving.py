"""The checkpoints of a batch: what is saved of its rows, and where each goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from gdexp.checkpoints import Checkpointing
from gdexp.core import signals
from gdexp.descent.batch.result import Integers, Traces
from gdexp.descent.listener import Listeners

Part = Mapping[str, Any]
"""Rows of a batch that began together, as data; `rows` are their numbers in the batch."""


class SavedRows(NamedTuple):
    """Rows that a batch saved.

    Attributes:
        state: of its checkpoint.
        places: of the rows in that batch.
    """

    state: Mapping[str, Any]
    places: Sequence[int]


class SavedPart(NamedTuple):
    """Rows of a batch that an earlier one saved together.

    Attributes:
        part: that they were saved in.
        own: their positions among the rows that were asked for.
        there: their positions in the part.
    """

    part: Part
    own: Integers
    there: Integers


class BatchSaving:
    """Saves a batch while it runs, and knows which of its rows go on from a checkpoint.

    Args:
        checkpoints: where it is saved.
        saved: what an earlier batch saved of the rows; None: they begin.
        warn: is told of rows that begin again because of a cap.
    """

    def __init__(
        self,
        checkpoints: Checkpointing,
        saved: SavedRows | None = None,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._checkpoints, self._saved, self._warn = checkpoints, saved, warn
        self._initial: torch.Tensor | None = None
        self._places: Integers = np.empty(0, dtype=np.int64)
        self._number: int = 0 if saved is None else saved.state["number"]
        self._began = time.perf_counter()

    @property
    def goes_on(self) -> bool:
        """Whether there are rows that an earlier batch saved."""
        return self._saved is not None

    def begin(self, initial: torch.Tensor) -> float:
        """Take the starts of the rows; return the seconds that they had taken when they were saved.

        A row whose start is another one than before begins again.
        """
        self._initial, before = initial, 0.0
        if self._saved is not None:
            state, places = self._saved
            same = [
                own == state["initial"][place]
                for own, place in zip(_digests(initial), places, strict=True)
            ]
            self._places = np.where(same, np.array(places), -1)
            before = state["seconds"] * len(places) / len(state["initial"])
        self._began = time.perf_counter() - before
        return before

    def found(self, rows: Integers, engine: str) -> list[SavedPart]:
        """Return the parts of the earlier batch that some rows were in.

        Args:
            rows: their numbers in this batch.
            engine: that computes them; rows that another one saved begin again.
        """
        if self._saved is None:
            return []
        places, several = self._places[rows], []
        for part in self._saved.state["parts"]:
            if part.get("engine", "portable") != engine:
                continue
            position = {row: i for i, row in enumerate(part["rows"].tolist())}
            there = np.array([position.get(place, -1) for place in places.tolist()])
            own = np.flatnonzero(there >= 0)
            if own.size:
                several.append(SavedPart(part, own, there[own]))
        return several

    def that_agree(self, saved: SavedPart, agree: npt.NDArray[np.bool_]) -> SavedPart:
        """Leave out rows that the cap ends elsewhere than when they were saved, with a warning.

        Args:
            saved: the rows.
            agree: which of them go on.
        """
        if agree.all():
            return saved
        again = f"{np.count_nonzero(~agree)} of {len(agree)} descents begin again"
        self._warn(
            f"checkpoint {self._checkpoints.folder.path}: {again}: with the trials that are "
            "finished by now, sweep.cap ends them elsewhere"
        )
        return SavedPart(saved.part, saved.own[agree], saved.there[agree])

    def shielded(self) -> AbstractContextManager[None]:
        """Hold a signal back until the rows are saved."""
        return self._checkpoints.shielded()

    def is_due(self) -> bool:
        """Return whether the rows are to be saved between two blocks.

        Raises:
            Interrupted: a signal has come, and the batch is too short to be saved.
        """
        return self._checkpoints.is_due_now()

    def save(self, parts: Sequence[Part]) -> None:
        """Save the batch; end it where a signal waits for that.

        Args:
            parts: all rows that began.

        Raises:
            Interrupted: a signal has come.
        """
        assert self._initial is not None, "the batch has begun"
        self._number = 1 + max(self._number, *self._checkpoints.folder.numbers(), 0)
        state = {
            "number": self._number,
            "seconds": time.perf_counter() - self._began,
            "initial": _digests(self._initial),
            "parts": list(parts),
        }
        self._checkpoints.save(self._number, state)
        signals.check(within_shields=True)


def heard_by(listeners: Listeners) -> dict[str, Any]:
    """Return what the listeners of some rows heard, as data for `hear_again`."""
    known = [(0, 0.0) if each is None else (len(each.heard), each.seconds) for each in listeners]
    counts, seconds = zip(*known, strict=True)
    times = [each.heard for each in listeners if each is not None]
    return {
        "counts": np.array(counts),
        "times": np.concatenate([np.empty(0), *times]),
        "seconds": np.array(seconds),
    }


def hear_again(listeners: Listeners, part: Part, there: Integers) -> None:
    """Let the listeners of some rows hear again what they heard before they were saved.

    Args:
        listeners: of the rows.
        part: that the rows were saved in.
        there: their positions in it.
    """
    heard, traces = part["heard"], Traces(**part["traces"])
    counts = heard["counts"]
    firsts = np.cumsum(counts) - counts
    for listener, row in zip(listeners, there.tolist(), strict=True):
        if listener is not None:
            times = heard["times"][firsts[row] : firsts[row] + counts[row]].tolist()
            listener.resume(traces[row], times, float(heard["seconds"][row]))


def _digests(initial: torch.Tensor) -> list[str]:
    """Return the sha256 of each row's start."""
    rows = initial.detach().cpu().contiguous().view(len(initial), -1).view(torch.uint8).numpy()
    return [hashlib.sha256(row.tobytes()).hexdigest() for row in rows]
