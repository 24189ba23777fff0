"""A trial on its way: asked of the study, then evaluated by its descents."""

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
    """A trial whose parameters are chosen, and what is to be run for it."""

    trial: Trial
    experiments: Sequence[Experiment] = field(default_factory=list)

    @property
    def number(self) -> int:
        """The trial's number in the study."""
        return int(self.trial.number)


@dataclass
class FinishedDescent:
    """A descent and what came of it.

    Attributes:
        experiment: with the cap that it was run under.
        source: the earlier run that the result was taken from; None when it was made.
        engine: that made it, `ALONE` or `BATCH`.
    """

    experiment: Experiment
    result: Result
    source: str | None = None
    engine: str = ALONE


@dataclass
class EvaluatedTrial:
    """A trial with its descents in the order of the seeds; fewer when the cap ended the trial.

    Attributes:
        more: whether the next trial is done too, because they ran together.
    """

    asked: AskedTrial
    descents: list[FinishedDescent] = field(default_factory=list)
    more: bool = False
