"""The experiment of a loop of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from gdexp.checkpoints import Checkpointing
from gdexp.config import Config
from gdexp.core import BadInput
from gdexp.descent import Monitor, Watch
from gdexp.engine import Plans
from gdexp.experiment.experiment import group
from gdexp.experiment.trained_experiment import TrainedExperiment
from gdexp.experiment.training_experiment import (
    LOOP,
    TrainingFacts,
    check_alone,
    in_problem,
    known_modes,
    resolved,
    settings_of,
    stopping_of,
    user_code_of,
)
from gdexp.optimizers import OwnRule
from gdexp.training import ALL, Kept, LoopFunction, OwnLoop, TrainingResult

OWN = {"name": OwnRule.name}
"""The group `optimizer` of a loop: gdexp knows nothing of its optimizer."""

DEFAULT = {"name": "gd", "lr": 1.0}
"""The group where nothing was chosen."""


@dataclass(frozen=True)
class LoopExperiment(TrainedExperiment, names=(LOOP,)):
    """One run of a loop of the user's own, described completely.

    Attributes:
        source: the user's function and its arguments.
    """

    source: LoopFunction = field(kw_only=True)

    @classmethod
    def _built(cls, chosen: Config, trust: Sequence[str], plans: Plans | None) -> Self:
        settings = settings_of(chosen)
        given = {key: chosen[key] for key in ("seed", "device", "dtype")}
        with in_problem():
            source = LoopFunction.named(*user_code_of(chosen, trust), given)
        _check_optimizer(group("optimizer", chosen))
        stopping = replace(stopping_of(chosen, source.modes), every=1)
        return cls(
            problem=TrainingFacts(source.name),
            rule=OwnRule(),
            stopping=stopping,
            **settings,
            config={**resolved(chosen, stopping), "optimizer": dict(OWN)},
            asked_engine=chosen.get("engine", "torch"),
            plans=plans,
            source=source,
        )

    def run(
        self,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
        kept: Kept = ALL,
        checkpoints: Checkpointing | None = None,
    ) -> TrainingResult:
        """Run the loop; see `Experiment`."""
        with self.problem_errors():
            return OwnLoop(
                self.source.make,
                self.source.arguments,
                self.problem.name,
                self.stopping,
                seed=self.seed,
                device=self.device,
                monitor=monitor,
                watch=watch,
                checkpoints=checkpoints,
            ).run()

    def rehearse(self) -> None:
        """Check the process alone: the loop's first yield may take as long as an epoch."""
        check_alone()

    @property
    def metric_modes(self) -> Mapping[str, str]:
        """The metrics whose direction the function or the stopping rule says."""
        return known_modes(self.source.modes, self.stopping)

    @property
    def watched_name(self) -> str:
        """What a watch sees: the metric that the threshold is of."""
        return self.stopping.metric

    @property
    def subject(self) -> str:
        """What is minimised: what a loop of the user's own trains."""
        return f"{self.problem.name}, a loop of its own"


def _check_optimizer(given: Mapping[str, Any]) -> None:
    """Refuse settings of an optimizer, which a loop would not hear of."""
    for key, value in given.items():
        if key == "schedule":
            unset = value is None or dict(value) == {"name": "constant"}
        else:
            unset = (
                value is None
                or value in (DEFAULT.get(key), OWN.get(key))
                or (key == "accumulate" and value == 1)
            )
        if not unset:
            raise BadInput(
                f"optimizer.{key}",
                value,
                "a loop has an optimizer of its own; give or sweep problem.arguments instead",
            )
