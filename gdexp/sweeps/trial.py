"""A trial between ask and tell: its experiments, then its descents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdexp.core import GdexpError
from gdexp.descent import Result
from gdexp.experiment import ALONE, Experiment
from gdexp.sweeps.failure import Failure
from gdexp.sweeps.pruning import Readings

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial


@dataclass
class AskedTrial:
    """A trial whose parameters are chosen.

    Attributes:
        experiments: what to run for it, one for each seed; none where they cannot be built.
        failure: why they cannot be built.
    """

    trial: Trial | FrozenTrial
    experiments: Sequence[Experiment] = field(default_factory=list)
    failure: Failure | None = None

    @classmethod
    def build(
        cls, trial: Trial | FrozenTrial, experiments: Callable[[], Sequence[Experiment]]
    ) -> AskedTrial:
        """Return a trial with its experiments, or with the failure to build them."""
        try:
            return cls(trial, experiments())
        except GdexpError as error:
            return cls(trial, failure=Failure.of(error))

    @property
    def number(self) -> int:
        """The number of the trial in the study."""
        return int(self.trial.number)


@dataclass
class FinishedDescent:
    """A descent and its result.

    Attributes:
        experiment: with the cap that limited the descent.
        source: the earlier run that the result was taken from; None for a new descent.
        grouping: how the descent ran, `ALONE` or `BATCH`.
    """

    experiment: Experiment
    result: Result
    source: str | None = None
    grouping: str = ALONE


@dataclass
class EvaluatedTrial:
    """A trial whose descents are finished.

    Attributes:
        descents: in the order of the seeds; fewer than the seeds if the cap ended the trial, or
            if the next one failed.
        more: whether the next trial is finished too, because both ran in one batch.
        failure: why the trial has no result; None if it has one.
        pruned: whether the pruner ended the trial.
        readings: that the pruner heard, and the end; none without a pruner.
    """

    asked: AskedTrial
    descents: list[FinishedDescent] = field(default_factory=list)
    more: bool = False
    failure: Failure | None = None
    pruned: bool = False
    readings: Readings = ()
