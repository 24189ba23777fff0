"""A trial between ask and tell: its experiments, then its descents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gdexp.descent import Result
from gdexp.experiment import ALONE, Experiment

if TYPE_CHECKING:
    from optuna import Trial


@dataclass
class AskedTrial:
    """A trial whose parameters are chosen.

    Attributes:
        experiments: what to run for it, one for each seed.
    """

    trial: Trial
    experiments: Sequence[Experiment] = field(default_factory=list)

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
        engine: how the descent ran, `ALONE` or `BATCH`.
    """

    experiment: Experiment
    result: Result
    source: str | None = None
    engine: str = ALONE


@dataclass
class EvaluatedTrial:
    """A trial whose descents are finished.

    Attributes:
        descents: in the order of the seeds; fewer than the seeds if the cap ended the trial.
        more: whether the next trial is finished too, because both ran in one batch.
    """

    asked: AskedTrial
    descents: list[FinishedDescent] = field(default_factory=list)
    more: bool = False
