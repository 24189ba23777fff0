"""The experiment of one training: a user's class, trained on mini-batches."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from gdexp import config
from gdexp.core import BadInput, nearest, validation
from gdexp.descent import LOSS, Monitor, Result, Status, Stopping, Watch
from gdexp.engine import Plans, StoredPlan
from gdexp.experiment.experiment import Experiment, Recorded, StoredFiles, descent_metrics, group
from gdexp.problems import ProblemFacts, check_trust
from gdexp.training import (
    ALL,
    TENSORS,
    TRACES,
    Checkpointing,
    Kept,
    TrainingClass,
    TrainingLoop,
    TrainingResult,
    UpdateSettings,
    metric_numbers_of,
    model_files,
    record_files,
)

TRAINING = "training"
"""The value of `problem.name` for a user's `Training`."""

LOOP = "loop"
"""The value of `problem.name` for a loop of the user's own."""

TRAININGS = (TRAINING, LOOP)

KEYS = ("name", "path", "arguments")


class TrainingFacts(ProblemFacts):
    """What is known of a training: its name.

    Args:
        name: of the class.
    """

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(frozen=True)
class TrainingExperiment(Experiment, names=(TRAINING,)):
    """One training, described completely.

    Attributes:
        source: the user's class and its arguments.
        updates: the settings between a loss and the changed weights.
    """

    source: TrainingClass = None  # type: ignore[assignment]
    updates: UpdateSettings = None  # type: ignore[assignment]

    @classmethod
    def _built(cls, chosen: config.Config, trust: Sequence[str], plans: Plans | None) -> Self:
        given = group("problem", chosen)
        for key, value in given.items():
            if key not in KEYS:
                raise BadInput(f"problem.{key}", value, nearest(str(key), KEYS))
        try:
            check_trust(given.get("path"), trust)
            source = TrainingClass.named(str(given["path"]), _arguments(given.get("arguments")))
        except BadInput as error:
            raise error.in_section("problem") from error
        updates = UpdateSettings.from_config(group("optimizer", chosen), trust)
        stopping = _stopping(group("stopping", chosen), source.modes)
        resolved = {**chosen, "stopping": {**chosen["stopping"], "mode": stopping.mode}}
        if stopping.metric == LOSS:
            resolved = chosen
        return cls(
            problem=TrainingFacts(source.name),
            rule=updates.rule,
            stopping=stopping,
            seed=validation.integer("seed", chosen["seed"]),
            dtype=validation.dtype(chosen["dtype"]),
            device=validation.device(chosen["device"]),
            config=_on_torch(resolved),
            asked_engine=chosen.get("engine", "torch"),
            plans=plans,
            source=source,
            updates=updates,
        )

    def run(
        self,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
        kept: Kept = ALL,
        checkpoints: Checkpointing | None = None,
    ) -> TrainingResult:
        """Train; see `Experiment`."""
        return self._train(self.stopping, watch, monitor, kept, checkpoints)

    def rerun(
        self, initial: torch.Tensor, watch: Watch | None = None, monitor: Monitor | None = None
    ) -> TrainingResult:
        """Train again, from the same seed; see `Experiment`."""
        return self._train(self.stopping, watch, monitor, ALL)

    def rehearse(self) -> TrainingResult:
        """Make one update between two evaluations; see `Experiment`."""
        stopping = replace(self.stopping, max_iterations=1, cap=None, every=1)
        return self._train(stopping, None, None, Kept(tensors=False, model="none"))

    @property
    def metric_modes(self) -> Mapping[str, str]:
        """The metrics whose direction the class or the stopping rule says."""
        known = {LOSS: "min", **self.source.modes}
        own = self.stopping.mode
        return known if own is None else {**known, self.stopping.metric: own}

    def start(self) -> None:
        """Return None: the run makes the model."""
        return

    def _train(
        self,
        stopping: Stopping,
        watch: Watch | None,
        monitor: Monitor | None,
        kept: Kept,
        checkpoints: Checkpointing | None = None,
    ) -> TrainingResult:
        with self.problem_errors():
            return TrainingLoop(
                self.source.instance,
                self.problem.name,
                self.updates,
                stopping,
                seed=self.seed,
                dtype=self.dtype,
                device=self.device,
                monitor=monitor,
                watch=watch,
                kept=kept,
                checkpoints=checkpoints,
            ).run()

    def recorded(self, result: Result) -> Recorded:
        """Return what a record holds of a result; see `Experiment`."""
        assert isinstance(result, TrainingResult), "what `run` returns"
        found = record_files(result)
        return Recorded(
            metrics={**descent_metrics(result), **metric_numbers_of(result)},
            arrays=found.arrays,
            texts={TENSORS: found.facts},
            curves=result.readings,
            blobs=model_files(result),
        )

    @property
    def subject(self) -> str:
        """What is minimised: the loss of a user's training on mini-batches."""
        return f"{self.problem.name}, trained on mini-batches"

    @property
    def facts_file(self) -> str:
        """The file of a record that says more of the result."""
        return TENSORS

    def stored_result(
        self, status: Status, stored: StoredFiles, program: StoredPlan | None = None
    ) -> Result:
        """Return the result that the files of a recorded run hold; see `Experiment`."""
        known = json.loads(stored.texts[TENSORS])
        metrics = known["metrics"]
        empty = np.empty(0)
        initial, final = (stored.arrays.get(f"{each}.npy", empty) for each in ("initial", "final"))
        return TrainingResult(
            status=status,
            trace=stored.arrays["trace.npy"],
            initial=torch.from_numpy(initial).to(self.dtype),
            final=torch.from_numpy(final).to(self.dtype),
            rule=self.rule,
            stopping=self.stopping,
            problem=self.problem.name,
            updates_made=known["updates"],
            epochs=known["epochs"],
            readings={
                name: stored.arrays[f"{TRACES}/{file}.npy"] for name, file in metrics.items()
            },
            modes=known["modes"],
            digests={each: known[each] for each in ("initial", "final")},
            parts={name: tuple(shape) for name, shape in known["parts"].items()},
        )


def _arguments(given: object) -> Mapping[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadInput("arguments", given, "must be a group of keyword arguments: {width: 64}")
    return given


def _stopping(given: Mapping[str, Any], modes: Mapping[str, str]) -> Stopping:
    """Return the stopping rule of a config; the class may say which direction of a metric is best.

    A metric of `evaluate` is compared as it is, so its threshold may have any sign.
    """
    if "absolute" in given:
        raise BadInput("stopping.absolute", given["absolute"], "follows from stopping.metric")
    metric, known = given.get("metric", LOSS), dict(given)
    threshold = given.get("threshold")
    linear = isinstance(threshold, int | float) and threshold <= 0
    if metric != LOSS:
        linear = True
        if known.get("mode") is None:
            known["mode"] = modes.get(str(metric))
        if known["mode"] is None:
            raise BadInput(
                "stopping.mode",
                None,
                f"must be min or max with stopping.metric={metric}; its training may say it too: "
                f'modes = {{"{metric}": "max"}}',
            )
    if known.get("continue_to") is not None:
        raise BadInput("stopping.continue_to", known["continue_to"], "a training ends at threshold")
    return config.construct("stopping", Stopping, {**known, "absolute": linear})


def _on_torch(chosen: config.Config) -> config.Config:
    """Return the config with engine torch, which computes all trainings."""
    asked = chosen.get("engine", "torch")
    if asked not in ("auto", "torch"):
        raise BadInput("engine", asked, "must be torch or auto: torch computes every training")
    return {**chosen, "engine": "torch"} if "engine" in chosen else chosen
