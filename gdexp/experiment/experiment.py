"""An experiment: the objects made from a checked config, ready to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy.typing as npt
import torch

from gdexp import config
from gdexp.checkpoints import Checkpointing
from gdexp.config import Config
from gdexp.core import BadInput, code_errors
from gdexp.descent import LOSS, Monitor, Result, Status, Stopping, Watch
from gdexp.engine import Plans, StoredPlan
from gdexp.experiment.provenance import code_digests
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem, ProblemFacts
from gdexp.training import ALL, Kept


class Recorded(NamedTuple):
    """What a record holds of a result, beside config and provenance.

    Attributes:
        metrics: single numbers.
        arrays: by the name of their file.
        texts: other files: values for JSON.
        curves: further metrics with their values by update, of shape (readings, 2).
        blobs: other files: what makes their bytes.
    """

    metrics: Mapping[str, float]
    arrays: Mapping[str, torch.Tensor | npt.NDArray[Any]]
    texts: Mapping[str, object] = {}
    curves: Mapping[str, npt.NDArray[Any]] = {}
    blobs: Mapping[str, Callable[[], bytes]] = {}


class StoredFiles(NamedTuple):
    """The files of a recorded run that hold its result, by name.

    Attributes:
        arrays: the content of the `.npy` files.
        texts: the bytes of the others.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    texts: Mapping[str, bytes]


@dataclass(frozen=True)
class Experiment(ABC):
    """One descent or training, described completely.

    Attributes:
        problem: what is known of the problem.
        rule: the update rule.
        stopping: the stopping rule.
        seed: of the start.
        dtype: of x, or of the weights.
        device: of x, or of the weights.
        config: the plain config of what decides the outcome, with the engine as resolved.
        engine: how the descent is computed: `portable`, `torch`; or `auto`, which takes portable
            here, unless the first descent shows that torch must compute it.
        engine_reason: why `engine=auto` takes torch; else None.
        asked_engine: what the config says of the engine.
        plans: keeps what is recorded of the loss, for all experiments that have it; None: the
            problem keeps it.
    """

    problem: ProblemFacts
    rule: UpdateRule
    stopping: Stopping
    seed: int
    dtype: torch.dtype
    device: torch.device
    config: Config
    engine: str = "torch"
    engine_reason: str | None = None
    asked_engine: str = "torch"
    plans: Plans | None = None

    _classes: ClassVar[dict[str, type[Experiment]]] = {}

    def __init_subclass__(cls, names: tuple[str, ...] = ("",)) -> None:
        """Let `from_config` find the class.

        Args:
            names: the values of `problem.name` that it is for; `""` stands for all others.
        """
        super().__init_subclass__()
        Experiment._classes |= dict.fromkeys(names, cls)

    @staticmethod
    def from_config(
        composed: Mapping[str, Any], trust: Sequence[str] = (), plans: Plans | None = None
    ) -> Experiment:
        """Build and check every part of a config.

        Args:
            composed: a plain config.
            trust: import paths that may be used. A path that a person typed on this machine is
                trusted; a path from a stored config is not.
            plans: the attribute of this name.

        Raises:
            BadInput: the first value that cannot be used, by its full key.
        """
        chosen = config.outcome(composed)
        name, classes = group("problem", chosen).get("name"), Experiment._classes
        kind = classes.get(name, classes[""]) if isinstance(name, str) else classes[""]
        return kind._built(chosen, trust, plans)

    @classmethod
    @abstractmethod
    def _built(cls, chosen: Config, trust: Sequence[str], plans: Plans | None) -> Self:
        """Return the experiment of a config that holds only what decides the outcome."""

    @abstractmethod
    def run(
        self,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
        kept: Kept = ALL,
        checkpoints: Checkpointing | None = None,
    ) -> Result:
        """Run the descent or training.

        Args:
            watch: a callback, see `descend`.
            monitor: hears the readings and may end it.
            kept: what the result of a training keeps of the weights.
            checkpoints: where it is saved, and goes on; None: nowhere.

        Raises:
            GdexpError: names the problem whose code raised another exception.
        """

    @abstractmethod
    def rerun(
        self, initial: torch.Tensor, watch: Watch | None = None, monitor: Monitor | None = None
    ) -> Result:
        """Run it again from the recorded start.

        Args:
            initial: the recorded start; a training makes its own, which is compared.
            watch: a callback.
            monitor: may end it.
        """

    @abstractmethod
    def rehearse(self) -> Result | None:
        """Make one update, so that errors come before anything is written; return its result.

        None where that would take too long.

        Raises:
            BadInput: the loss, the rule or the data cannot be used.
            GdexpError: the problem's own code raised an exception.
        """

    @abstractmethod
    def start(self) -> torch.Tensor | None:
        """Return x at iteration 0; None where only the run makes it."""

    @abstractmethod
    def stored_result(
        self, status: Status, stored: StoredFiles, program: StoredPlan | None = None
    ) -> Result:
        """Return the result that the files of a recorded run hold.

        Args:
            status: why it ended.
            stored: the files.
            program: what it computed; None on engine torch.
        """

    @abstractmethod
    def recorded(self, result: Result) -> Recorded:
        """Return what a record holds of a result."""

    @property
    def watched_name(self) -> str | None:
        """What a watch sees; None: the loss."""
        return None

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is minimised, in a few words."""

    @property
    def metric_modes(self) -> Mapping[str, str]:
        """The metrics whose better direction is known, `min` or `max`."""
        return {LOSS: "min"}

    @property
    def function(self) -> Problem | None:
        """The problem as a function of x; None for a training."""
        return None

    @property
    def batch_kind(self) -> Hashable | None:
        """What all descents of a batch have in common; None if this one runs alone."""
        return None

    @property
    def facts_file(self) -> str | None:
        """The file of a record that says more of the result; None if a descent has none."""
        return None

    def on_torch(self) -> Experiment:
        """Return the experiment on torch, which its study was resolved to."""
        return self

    def of_result(self, result: Result) -> Experiment:
        """Return the experiment as it was run: with the engine that computed the result."""
        return self

    def varied(self, composed: Mapping[str, Any]) -> Experiment | None:
        """Return the experiment of a config that differs in rule, stopping rule and seed alone.

        It is equal to that of `from_config`, and shares the problem, whose making takes longest.

        Returns:
            The experiment; None where the config differs in more, or the problem is the user's own
            and may keep a state.

        Raises:
            BadInput: as `from_config`.
        """
        return None

    def threshold_warning(self) -> str | None:
        """Return a warning when the threshold is below what the dtype can resolve, else None."""
        return None

    @property
    def signature(self) -> str:
        """The hash that equal experiments share.

        Modules that the user's code imports during the descent have joined at its end.
        """
        return config.signature(self.config, code_digests(self.config))

    @contextmanager
    def problem_errors(self) -> Iterator[None]:
        """Turn exceptions from the problem's code into gdexp's errors, with the problem's name."""
        where = self.config["problem"].get("path") or self.problem.name
        try:
            with code_errors(where, rules=config.optimizer_paths(self.config.get("optimizer"))):
                yield
        except BadInput as error:
            if error.key == "problem" and error.value == self.problem.name:
                raise BadInput("problem", where, error.allowed) from error  # as it was typed
            raise (error.in_section("optimizer") if error.key == "class_name" else error) from error

    def with_cap(self, cap: int | None) -> Self:
        """Return the experiment with a cap on its iterations.

        None, or a cap that is not below its own limit, changes nothing.
        """
        if cap is None or cap >= self.stopping.limit:
            return self
        stopping = replace(self.stopping, cap=cap)
        group = {**self.config["stopping"], "cap": cap}
        return replace(self, stopping=stopping, config={**self.config, "stopping": group})

    def with_limit(self, iterations: int) -> Self:
        """Return the experiment with at most so many iterations; a lower limit stays."""
        if iterations >= self.stopping.max_iterations:
            return self
        stopping = replace(self.stopping, max_iterations=iterations)
        group = {**self.config["stopping"], "max_iterations": iterations}
        return replace(self, stopping=stopping, config={**self.config, "stopping": group})


def descent_metrics(result: Result, continued: bool = False) -> dict[str, float]:
    """Return the single numbers of a result.

    Args:
        result: of a descent or training.
        continued: whether its trace may go on after its end.
    """
    return {
        "iterations": result.iterations,
        **({"updates": result.updates} if continued else {}),
        "hitting_time": result.hitting_time,
        "hitting_seconds": result.hitting_seconds,
        "final_loss": result.final_loss,
        "min_loss": result.min_loss,
        "max_loss": result.max_loss,
        "seconds": result.seconds,
    }


def trusted_paths(composed: Mapping[str, Any]) -> list[str]:
    """Return the import paths in a config that a person composed here."""
    return config.import_paths(composed)


def group(name: str, composed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a group of a config.

    Raises:
        BadInput: it is no group.
    """
    given = composed[name]
    if not isinstance(given, Mapping):
        raise BadInput(name, given, "must be a group of keys")
    return given
