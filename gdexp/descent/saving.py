"""The checkpoints of one descent: what both engines save, and where they go on."""

from __future__ import annotations

import hashlib
import time
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from gdexp.checkpoints import Checkpointing, generator_states, restore_generators
from gdexp.core import signals
from gdexp.descent.listener import Listener
from gdexp.descent.stopping import Stopping


class Saving:
    """Saves one descent while it runs, and knows where it goes on.

    Args:
        checkpoints: where it is saved.
        initial: the start of the descent.
        stopping: its stopping rule. A checkpoint beyond its limit is not used: the cap has become
            lower.

    Attributes:
        iteration: of the checkpoint that the descent goes on from; None: it begins.
        engine: that made this checkpoint.
        seconds: that the descent had taken then.
    """

    def __init__(
        self, checkpoints: Checkpointing, initial: torch.Tensor, stopping: Stopping
    ) -> None:
        self._checkpoints = checkpoints
        numbers = initial.detach().cpu().reshape(-1).view(torch.uint8).numpy()
        self._initial = hashlib.sha256(numbers.tobytes()).hexdigest()
        self._state: Mapping[str, Any] | None = checkpoints.load(initial.device)
        if self._state is not None and self._state["initial"] != self._initial:
            self.refuse("it begins at another x0 than before")
        if self._state is not None:
            known = self._state
            limit = stopping.max_iterations if known["met"] else stopping.limit
            if known["iteration"] > limit or known.get("met_at", 0) > stopping.limit:
                self.begin_again()
        self._note()

    def _note(self) -> None:
        """Take over what is known of the checkpoint, or that there is none."""
        known = self._state or {}
        self.iteration: int | None = known.get("iteration")
        self.engine: str | None = known.get("engine")
        self.seconds: float = known.get("seconds", 0.0)
        self._began = time.perf_counter() - self.seconds

    def begin_again(self) -> None:
        """Forget the checkpoints: the descent begins at its start."""
        self._state, self._checkpoints.resumed_at = None, None
        self._checkpoints.folder.clear()
        self._note()

    def refuse(self, reason: str) -> None:
        """Refuse the checkpoint; see `Checkpointing`.

        Raises:
            GdexpError: the descent is not to begin again.
        """
        self._checkpoints.refuse(reason)
        self.begin_again()

    def is_due(self) -> bool:
        """Return whether the descent is to be saved between two updates.

        Raises:
            Interrupted: a signal has come, and the descent is too short to be saved.
        """
        return self._checkpoints.is_due_now()

    def save(
        self,
        engine: str,
        iteration: int,
        trace: array[float],
        listener: Listener | None,
        own: Mapping[str, Any],
        met_at: int | None,
    ) -> None:
        """Save the descent; end it where a signal waits for that.

        Args:
            engine: that computes it.
            iteration: the one that comes next.
            trace: the losses before it.
            listener: that heard them; None: there is none.
            own: what the engine needs to go on.
            met_at: where the descent converged, and only its trace goes on; None: it has not.

        Raises:
            Interrupted: a signal has come.
        """
        state = {
            "engine": engine,
            "iteration": iteration,
            "seconds": time.perf_counter() - self._began,
            "initial": self._initial,
            "trace": np.array(trace),
            "heard": None if listener is None else np.array(listener.heard),
            "met": met_at is not None,
            "met_at": 0 if met_at is None else met_at,
            "generators": generator_states(),
            "own": own,
        }
        self._checkpoints.save(iteration, state)
        signals.check(within_shields=True)

    def resume(self, trace: array[float], listener: Listener | None) -> Any:  # noqa: ANN401
        """Go where the descent was: fill its trace, and let its listener hear it again.

        Args:
            trace: is filled.
            listener: hears the readings; None: there is none.

        Returns:
            What the engine saved of its own; None where the descent begins.
        """
        state = self._state
        if state is None:
            return None
        trace.extend(state["trace"].tolist())
        if listener is not None:
            heard = state["heard"]
            if heard is None:  # nothing listened before: patience or a time limit is given anew
                heard = np.full(len(trace[:: listener.every]), self.seconds)
            listener.resume(trace, heard.tolist(), self.seconds)
        restore_generators(state["generators"])
        return state["own"]
