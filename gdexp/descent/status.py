"""Why descents end."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Why a descent ended."""

    CONVERGED = "converged"
    MAX_ITERATIONS = "max_iterations"
    DIVERGED = "diverged"
    STALLED = "stalled"
    CAPPED = "capped"
    BELOW_MINIMUM = "below_minimum"
    FAILED = "failed"
    PRUNED = "pruned"
    PLATEAU = "plateau"
    OUT_OF_TIME = "out_of_time"
    MAX_EPOCHS = "max_epochs"
    FINISHED = "finished"

    @property
    def explanation(self) -> str:
        """The reason in one clause."""
        return _EXPLANATIONS[self]

    @property
    def ended_early(self) -> bool:
        """Whether the descent neither converged nor could go no further."""
        return self in ENDED_FROM_OUTSIDE and self is not Status.CONVERGED

    @property
    def hopeless(self) -> bool:
        """Whether no further iterations would bring the descent to its threshold."""
        return self in (Status.DIVERGED, Status.STALLED, Status.BELOW_MINIMUM, Status.FAILED)


CAME_NEAR_NOTHING = frozenset({Status.DIVERGED, Status.BELOW_MINIMUM, Status.FAILED})
"""Ends after which the last loss says nothing of how near the threshold was."""

_EXPLANATIONS = {
    Status.CONVERGED: "the loss came within the threshold",
    Status.MAX_ITERATIONS: "all allowed iterations were made, the threshold was not reached",
    Status.DIVERGED: "the loss became infinite or not a number",
    Status.STALLED: "the state repeats bit for bit, so no smaller loss can follow",
    Status.CAPPED: "ended early: another trial had already needed fewer iterations",
    Status.BELOW_MINIMUM: "the loss is below f*, so the threshold says nothing: declare its f_star",
    Status.FAILED: "its code raised an exception",
    Status.PRUNED: "ended early: the sweep's pruner found its readings worse than those of others",
    Status.PLATEAU: "the readings did not improve for as long as stopping.patience allows",
    Status.OUT_OF_TIME: "stopping.max_seconds had passed",
    Status.MAX_EPOCHS: "all allowed epochs were made, the threshold was not reached",
    Status.FINISHED: "the application's function returned",
}


ENDED_FROM_OUTSIDE = (
    *(Status.CONVERGED, Status.CAPPED, Status.PRUNED),
    *(Status.PLATEAU, Status.OUT_OF_TIME, Status.MAX_EPOCHS),
)
"""The statuses of descents that could have gone on, towards tighter thresholds."""
