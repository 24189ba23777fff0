"""One tracked run as a typed object."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gdexp.core import BadInput, printable_line
from gdexp.descent import (
    GRADIENT_NORM,
    LOSS,
    Status,
    Stopping,
    Trace,
    first_hits,
    projected_time,
)
from gdexp.experiment import EVALUATIONS_FILE, Experiment
from gdexp.problems import ABSOLUTE
from gdexp.runs.artifact_reader import (
    ArtifactReader,
    UnreadableRun,
    read_bytes,
    read_config,
    read_trace,
)
from gdexp.runs.run_readings import RunReadings, crossed
from gdexp.runs.stored_config import stored_experiment
from gdexp.runs.stored_texts import param_value
from gdexp.runs.training_files import read_losses
from gdexp.tracking import F_STAR_TAG, Array, read_array

SEED_PARAM = "seed"


@dataclass(frozen=True, eq=False)
class TrackedRun(RunReadings):
    """One run of MLflow.

    Its files are read on first use and are not trusted: each is checked against the manifest,
    `.npy` is read without pickle, `config.yaml` without aliases; nothing in them is executed.

    Attributes:
        run_id: MLflow's id. A trial that is a row of a shard has `SWEEP/TRIAL`, or
            `SWEEP/TRIAL/SEED` if the trial has several seeds.
        name: the run name, without control characters.
        kind: run, sweep, trial, seed or rerun; empty for a run that gdexp did not make.
        state: MLflow's status: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
        params: the resolved config: keys with dots, values as text. Of a run that `+resume` went on
            with other settings they are those that decided; MLflow has those of its start.
        metrics: the last value of each metric.
        tags: all tags, MLflow's own included.
        trial: the trial number; the run of a seed has the number of its trial.
        parent: the run id of the sweep; for the run of a seed, of its trial.
        started: milliseconds since 1970.
        experiment_id: id of its MLflow experiment.
        home: its artifact URI.
    """

    run_id: str
    name: str
    kind: str
    state: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    trial: int | None
    parent: str | None
    started: int
    experiment_id: str
    home: str
    _files: ArtifactReader = field(repr=False)
    _minima: dict[tuple[tuple[str, str], ...], float | None] = field(repr=False)
    _above: Callable[[str], TrackedRun | None] = field(default=lambda _: None, repr=False)

    @property
    def status(self) -> str:
        """Why the descent ended, one of `Status`; empty if it is not recorded."""
        return printable_line(self.tags.get("gdexp.status", ""))

    @property
    def converged(self) -> bool:
        """Whether it reached its own threshold."""
        return self.status == Status.CONVERGED

    @property
    def short(self) -> str:
        """The first eight characters of the run id.

        For a row of a shard: those of the sweep's run id, and the trial number.
        """
        first, slash, rest = self.run_id.partition("/")
        return f"{first[:8]}{slash}{rest}"

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The params with each text converted by `param_value`."""
        return {key: param_value(text) for key, text in self.params.items()}

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config, from `config.yaml`.

        Raises:
            UnreadableRun: the file is missing, too large or not plain YAML.
        """
        return self._files.read(self.run_id, self.home, "config.yaml", read_config)

    @cached_property
    def trace(self) -> Trace:
        """The loss at iterations 0 … n; float64, shape (n + 1,).

        With `sweep.continue_to` it goes on after the descent's end.

        Raises:
            UnreadableRun: there is none, for example because gdexp did not make the run.
        """
        read = read_losses if self.is_training else read_trace
        return self._files.read(self.run_id, self.home, "trace.npy", read)

    @cached_property
    def evaluations(self) -> Array | None:
        """The evaluations of the loss until each iterate; None where one was made for each.

        Raises:
            UnreadableRun: the rule made more, and what each iterate took is not recorded.
        """
        one_each = self.metrics.get("loss_evaluations", math.nan) == self.iterations + 1
        if one_each and (self.iterations == self.updates or not self._has(EVALUATIONS_FILE)):
            return None
        counts = self._files.read(self.run_id, self.home, EVALUATIONS_FILE, read_trace)
        if len(counts) != len(self.trace):
            raise UnreadableRun(f"its {EVALUATIONS_FILE} is not of its trace")
        return counts

    @cached_property
    def initial(self) -> Array:
        """The point at iteration 0, in the dtype of the descent."""
        return self._files.read(self.run_id, self.home, "initial.npy", read_array)

    @cached_property
    def final(self) -> Array:
        """The point at the descent's end."""
        return self._files.read(self.run_id, self.home, "final.npy", read_array)

    @property
    def iterations(self) -> int:
        """The number of updates until the descent ended."""
        if "updates" not in self.metrics:
            return self.updates
        recorded = self.metrics.get("iterations", math.nan)
        return int(recorded) if 0 <= recorded <= self.updates else self.updates

    @property
    def updates(self) -> int:
        """The number of updates in the trace, those of its continuation included."""
        return self._training.updates if self.is_training else len(self.trace) - 1

    @cached_property
    def threshold(self) -> float | None:
        """The threshold of its stopping rule; None if it is not recorded."""
        return self._level("stopping.threshold")

    @property
    def absolute(self) -> bool:
        """Whether its threshold is of the loss or a metric itself, and may be negative."""
        of_metric = self.metric not in (LOSS, GRADIENT_NORM)
        return of_metric or self.tags.get(F_STAR_TAG) == ABSOLUTE

    @cached_property
    def goal(self) -> float:
        """The threshold at which its trace ends once it converged; 0 if it is not recorded."""
        own, further = self.threshold or 0.0, self._level("stopping.continue_to")
        if further is None:
            return own
        return max(own, further) if self.mode == "max" else min(own, further)

    @cached_property
    def recorded_time(self) -> float:
        """The recorded hitting time at its own threshold; infinite if it is not recorded.

        It is a projection if the run did not converge.
        """
        value = self.metrics.get("hitting_time", math.inf)
        return math.inf if math.isnan(value) else value

    @cached_property
    def f_star(self) -> float:
        """The f* of its problem, from which thresholds are measured; 0 if the problem has none.

        Raises:
            UnreadableRun: gdexp does not know the problem, and the recorded hitting time does not
                agree with f* = 0.
        """
        if self.is_training:
            return 0.0
        if "f_star" in self.metrics:
            return self.metrics["f_star"]
        key = tuple(sorted((k, v) for k, v in self.params.items() if k.startswith("problem")))
        if key not in self._minima:
            self._minima[key] = self._reference()
        known = self._minima[key]
        if known is not None:
            return known
        if not self._agrees_with_zero():
            raise UnreadableRun("the minimum f* of its problem is not known here")
        return 0.0

    @property
    def configuration(self) -> tuple[tuple[str, str], ...]:
        """All params except the seed: equal for the runs of one configuration."""
        return tuple(sorted((k, v) for k, v in self.params.items() if k != SEED_PARAM))

    @property
    def gaps(self) -> Trace:
        """The losses above f* at iterations 0 … n, shape (n + 1,)."""
        gaps: Trace = self.trace - self.f_star
        return gaps

    def hitting_time(self, threshold: float | None = None) -> float | None:
        """Return the hitting time at a threshold, by default its own.

        None: its trace does not reach it. `at_least` tells a failure from a censored count.
        """
        return self.hitting_times([self._threshold(threshold)])[0]

    def iterations_to(self, threshold: float | None = None) -> int | None:
        """Return the first iteration within a threshold, by default its own.

        None: its trace does not reach it. `at_least` tells a failure from a censored count.
        """
        return self._first_hits([self._threshold(threshold)])[0]

    def at_least(self, threshold: float | None = None) -> int | None:
        """Return the fewest iterations that a threshold can need where the trace is censored.

        A run that ended at its own threshold, or by a cap, was not continued: beyond, it is known
        to need more iterations than it made. None: the trace reaches the threshold, or the run
        failed to.
        """
        return self.censoring_bounds([self._threshold(threshold)])[0]

    def experiment(self) -> Experiment:
        """Build the objects of its config, from gdexp's own classes only.

        Raises:
            BadInput: the problem is the user's own code, or the device is missing here.
            UnreadableRun: there is no config.
        """
        return stored_experiment(self.config)

    def file_bytes(self, name: str, most: int) -> bytes:
        """Read one of its files, without a check against the manifest.

        Args:
            name: a relative path below its artifact folder; the caller checks it.
            most: the largest size that is read, in bytes.

        Raises:
            UnreadableRun: the file is missing or larger.
        """
        return self._files.read(
            self.run_id, self.home, name, lambda file: read_bytes(file, most), check=False
        )

    def above(self) -> TrackedRun | None:
        """Return the run that this is a child of; None where there is none, or it is gone."""
        return None if self.parent is None else self._above(self.parent)

    @cached_property
    def sweep(self) -> TrackedRun | None:
        """The sweep that it is a trial of, or a seed of a trial; None where it is in none."""
        above = self.above()
        return above.sweep if above is not None and above.kind == "trial" else above

    def why_not_comparable(self) -> str | None:
        """Return why it cannot be compared, in one clause; None if it can."""
        if self.state in ("RUNNING", "SCHEDULED"):
            return "is still running"
        if self.state != "FINISHED":
            return f"ended {self.state}"
        try:
            _ = self.trace, self.f_star, self.readings
        except UnreadableRun as error:
            if self.status == Status.FAILED:
                return printable_line(f"failed: {self.tags.get('gdexp.reason', 'no reason')}")
            origin = "" if self.kind else " (not recorded by gdexp)"
            return f"{error}{origin}"
        return None

    def _has(self, file: str) -> bool:
        """Return whether one of its files can be read."""
        try:
            self._files.read(self.run_id, self.home, file, read_trace)
        except UnreadableRun:
            return False
        return True

    def _level(self, key: str) -> float | None:
        """Return a threshold among the params: above 0, or any number of an absolute one."""
        value = self.values.get(key)
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        return float(value) if value > 0 or self.absolute else None

    def _threshold(self, threshold: float | None) -> float:
        chosen = self.threshold if threshold is None else threshold
        if chosen is None:
            raise BadInput("threshold", None, f"must be given: run {self.short} records none")
        return chosen

    def _reference(self) -> float | None:
        try:
            return self.experiment().problem.reference
        except (BadInput, UnreadableRun):
            return None

    def _agrees_with_zero(self) -> bool:
        """Return whether the recorded hitting time follows from the trace with f* = 0."""
        if self.threshold is None or "hitting_time" not in self.metrics:
            return self.kind == ""
        if self.converged:
            k = first_hits(self.trace, [self.threshold])[0]
            if k is None or k != self.iterations:
                return False
            before = float(self.trace[k - 1]) if k else math.nan
            time = crossed(k, before, float(self.trace[k]), self.threshold, self.absolute)
        else:
            limit = self.values.get("stopping.max_iterations")
            if self.status not in list(Status) or not isinstance(limit, int):
                return False
            cap, absolute = self.values.get("stopping.cap"), self.absolute
            try:
                stopping = Stopping(self.threshold, limit, cap, absolute=absolute)
            except BadInput:  # a param of a foreign run may be anything
                return False
            time = projected_time(self.trace, stopping, Status(self.status))
        return math.isclose(time, self.recorded_time, rel_tol=1e-9)

    def __repr__(self) -> str:
        return f"<{self.kind or 'run'} {self.short} {self.name!r}: {self.status or self.state}>"
