"""The experiment of one training: a user's class, trained on mini-batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from gdexp import config
from gdexp.checkpoints import Checkpointing
from gdexp.core import BadInput, nearest, validation
from gdexp.descent import GAP, LOSS, Monitor, Stopping, Watch
from gdexp.engine import Plans
from gdexp.experiment.experiment import group
from gdexp.experiment.trained_experiment import TrainedExperiment
from gdexp.problems import ProblemFacts, check_trust
from gdexp.training import (
    ALL,
    Kept,
    TrainingClass,
    TrainingLoop,
    TrainingResult,
    UpdateSettings,
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
class TrainingExperiment(TrainedExperiment, names=(TRAINING,)):
    """One training, described completely.

    Attributes:
        source: the user's class and its arguments.
        updates: the settings between a loss and the changed weights.
    """

    source: TrainingClass = field(kw_only=True)
    updates: UpdateSettings = field(kw_only=True)

    @classmethod
    def _built(cls, chosen: config.Config, trust: Sequence[str], plans: Plans | None) -> Self:
        with in_problem():
            source = TrainingClass.named(*user_code_of(chosen, trust))
        updates = UpdateSettings.from_config(group("optimizer", chosen), trust)
        stopping = stopping_of(chosen, source.modes)
        return cls(
            problem=TrainingFacts(source.name),
            rule=updates.rule,
            stopping=stopping,
            **settings_of(chosen),
            config=resolved(chosen, stopping),
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

    def rehearse(self) -> TrainingResult:
        """Make one update between two evaluations; see `Experiment`.

        Raises:
            BadInput: this process is one of several that a launcher such as torchrun started.
        """
        check_alone()
        stopping = replace(self.stopping, max_iterations=1, cap=None, every=1)
        kept = Kept(tensors=False, model="none", digests=False)
        return self._train(stopping, None, None, kept, rehearses=True)

    @property
    def metric_modes(self) -> Mapping[str, str]:
        """The metrics whose direction the class or the stopping rule says."""
        return known_modes(self.source.modes, self.stopping)

    def _train(
        self,
        stopping: Stopping,
        watch: Watch | None,
        monitor: Monitor | None,
        kept: Kept,
        checkpoints: Checkpointing | None = None,
        rehearses: bool = False,
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
                rehearses=rehearses,
            ).run()

    @property
    def subject(self) -> str:
        """What is minimised: the loss of a user's training on mini-batches."""
        return f"{self.problem.name}, trained on mini-batches"


def known_modes(modes: Mapping[str, str], stopping: Stopping) -> Mapping[str, str]:
    """Return the directions of metrics, from the user's code and the stopping rule."""
    own = {} if stopping.mode is None else {stopping.metric: stopping.mode}
    return {LOSS: "min", **modes, **own}


def user_code_of(chosen: config.Config, trust: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
    """Return the import path and the arguments of the user's code in a config.

    Raises:
        BadInput: the path is not trusted, or a key of `problem` is wrong.
    """
    given = group("problem", chosen)
    for key, value in given.items():
        if key not in KEYS:
            raise BadInput(f"problem.{key}", value, nearest(str(key), KEYS))
    path, arguments = given.get("path"), given.get("arguments")
    check_trust(path, trust)
    if arguments is not None and not isinstance(arguments, Mapping):
        raise BadInput("arguments", arguments, "must be a group: {width: 64}")
    return str(path), dict(arguments or {})


@contextmanager
def in_problem() -> Iterator[None]:
    """Let errors inside the block name keys of the group `problem`."""
    try:
        yield
    except BadInput as error:
        raise (error if error.key.startswith("problem") else error.in_section("problem")) from error


def settings_of(chosen: config.Config) -> dict[str, Any]:
    """Return the checked seed, dtype and device of a config."""
    return {
        "seed": validation.integer("seed", chosen["seed"]),
        "dtype": validation.dtype(chosen["dtype"]),
        "device": validation.device(chosen["device"]),
    }


def resolved(chosen: config.Config, stopping: Stopping) -> config.Config:
    """Return the config with the direction of its metric, and engine torch.

    Raises:
        BadInput: another engine was asked for.
    """
    asked = chosen.get("engine", "torch")
    if asked not in ("auto", "torch"):
        raise BadInput("engine", asked, "must be torch or auto: torch computes every training")
    engine = {"engine": "torch"} if "engine" in chosen else {}
    if stopping.metric == LOSS:
        return {**chosen, **engine}
    return {**chosen, **engine, "stopping": {**chosen["stopping"], "mode": stopping.mode}}


def stopping_of(chosen: config.Config, modes: Mapping[str, str]) -> Stopping:
    """Return the stopping rule of a config; the class may say which direction of a metric is best.

    A metric is compared as it is, so its threshold may have any sign.
    """
    given = group("stopping", chosen)
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
    if known.get("measure", GAP) != GAP:
        raise BadInput("stopping.measure", known["measure"], f"must be {GAP} in a training")
    return config.construct("stopping", Stopping, {**known, "absolute": linear})


def check_alone() -> None:
    """Refuse to train as one of several processes of a distributed launcher.

    Each of them would make a run of its own, of the same weights.

    Raises:
        BadInput: `WORLD_SIZE` is more than 1, as torchrun and others set it.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    if size.strip() not in ("", "1"):
        raise BadInput(
            "WORLD_SIZE",
            size,
            "a training is one process; start it without torchrun or another distributed launcher "
            "(unset WORLD_SIZE if there is none)",
        )
