"""The jobs of one trial as experiments: the application's function is called and heard."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Self

import numpy as np

from gdexp.checkpoints import Checkpointing
from gdexp.config import APPLICATION, Config
from gdexp.core import BadInput, GdexpError, WorkEnded, described_error
from gdexp.descent import LOSS, Monitor, Result, Status, Watch
from gdexp.engine import Plans
from gdexp.experiment import Recorded, TrainedExperiment, TrainingFacts
from gdexp.sweeper.hydra_jobs import Job
from gdexp.sweeper.returned_value import numbers_of
from gdexp.sweeps import RETURNED
from gdexp.training import ALL, Kept, OwnLoop, TrainingResult

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What colours a text in a terminal; some libraries' errors hold it."""


@dataclass(frozen=True, eq=False)
class JobResult(TrainingResult):
    """The outcome of one job; what it returned is a reading at its end."""

    @cached_property
    def hitting_time(self) -> float:
        """The hitting time, or its projection; infinite where nothing was reported."""
        return super().hitting_time if len(self._goal_readings) else math.inf


class JobLoop(OwnLoop):
    """One call of an application's function, which may report as it goes.

    Generators, threads and the arithmetic stay as the application has them.
    """

    def run(self) -> JobResult:
        """Run the job until its function returns, or is ended at a report."""
        self._started = time.perf_counter()
        status = self._run(None)
        ended = status if self._status is not None else Status.FINISHED
        result = self._result(ended)
        return JobResult(**{each.name: getattr(result, each.name) for each in fields(result)})


@dataclass(frozen=True)
class JobExperiment(TrainedExperiment, names=(APPLICATION,)):
    """One job, described completely.

    Attributes:
        job: calls the application's function.
        returned: how many numbers it must return; 0: that does not matter.
        read: the metrics that it must report.
    """

    job: Job = field(kw_only=True)
    returned: int = field(kw_only=True)
    read: Sequence[str] = field(kw_only=True)

    @classmethod
    def _built(cls, chosen: Config, trust: Sequence[str], plans: Plans | None) -> Self:
        where = chosen["problem"].get("application")
        raise BadInput("problem.name", APPLICATION, f"is run by its own application, {where}")

    def run(
        self,
        watch: Watch | None = None,
        monitor: Monitor | None = None,
        kept: Kept = ALL,
        checkpoints: Checkpointing | None = None,
    ) -> JobResult:
        """Call the application's function; see `Experiment`."""
        given: list[object] = []

        def call() -> None:
            given.append(self.job.call())

        with self.problem_errors():
            loop = JobLoop(call, {}, self.problem.name, self.stopping, monitor=monitor, watch=watch)
            with self.job.errors_kept():
                result = loop.run()
                self._check_read(result)
                numbers = self._numbers(given, result.status)
        found = {_name(at, len(numbers)): each for at, each in enumerate(numbers)}
        end = float(result.updates_made)
        readings = {name: np.array([[end, each]]) for name, each in found.items()}
        return replace(result, readings={**result.readings, **readings})

    def _numbers(self, given: Sequence[object], status: Status) -> Sequence[float]:
        """Return what the function returned as numbers; none where it was ended before."""
        if not self.returned:
            return ()
        if given:
            return numbers_of(given[0], self.returned)
        if status is Status.PRUNED:
            return ()
        raise GdexpError(f"it was ended ({status}) before it returned a number")

    def _check_read(self, result: TrainingResult) -> None:
        """Refuse a job that never reported a metric that the sweep reads."""
        for name in self.read:
            if name not in result.readings and result.status is not Status.PRUNED:
                seen = ", ".join(result.readings) or "none"
                raise GdexpError(f"it never reported the metric {name}; its metrics are: {seen}")

    @contextmanager
    def problem_errors(self) -> Iterator[None]:
        """Turn what the function raised into one of gdexp's errors."""
        try:
            yield
        except (GdexpError, WorkEnded):
            raise
        except BaseException as error:  # SystemExit, and what libraries raise beside Exception
            raise GdexpError(_reason(error)) from error

    def recorded(self, result: Result) -> Recorded:
        """Return what a record holds of a result: nothing of a loss that was not reported."""
        found = super().recorded(result)
        if LOSS in found.curves:
            return found
        named = {name: each for name, each in found.metrics.items() if not name.endswith("_loss")}
        return found._replace(metrics=named)

    def rehearse(self) -> None:
        """Do nothing: a job may take as long as an epoch before it says anything."""

    @property
    def metric_modes(self) -> Mapping[str, str]:
        """The metric whose direction is known."""
        return {} if self.stopping.mode is None else {self.stopping.metric: self.stopping.mode}

    @property
    def watched_name(self) -> str:
        """What a watch sees: the metric that the threshold is of."""
        return self.stopping.metric

    @property
    def subject(self) -> str:
        """What is minimised: what a function returns or reports."""
        return f"{self.problem.name}, a Hydra application"


def _name(at: int, count: int) -> str:
    return RETURNED if count == 1 else f"{RETURNED}_{at}"


def _reason(error: BaseException) -> str:
    """Return one line on what a function raised."""
    if isinstance(error, SystemExit):
        return (
            "it called sys.exit()" if error.code is None else f"it called sys.exit({error.code!r})"
        )
    return COLOUR.sub("", described_error(error))


def application_facts(name: str) -> TrainingFacts:
    """Return what is known of an application: its name."""
    return TrainingFacts(name)


Jobs = Callable[[int, int, Sequence[str]], Job]
"""Makes the job of a trial: number, index of the seed, overrides."""
