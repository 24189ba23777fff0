"""One tracked run as a typed object; its files are read when they are asked for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gdexp.core import BadInput
from gdexp.descent import Status, Stopping, Trace, first_hits, projected_time
from gdexp.descent import crossing as crossing_time
from gdexp.experiment import Experiment
from gdexp.runs.files import Files, Unreadable, read_bytes, read_config, read_trace
from gdexp.runs.stored_config import printable, stored_experiment
from gdexp.tracking import Array, read_array

SEED = "seed"


@dataclass(frozen=True, eq=False)
class TrackedRun:
    """One run as MLflow holds it.

    Its files are read when they are first asked for, as data from elsewhere: `.npy` without
    pickle, `config.yaml` without aliases; nothing in them is executed.

    Attributes:
        run_id: MLflow's id; of a trial that is a row of its sweep's shards `SWEEP/TRIAL`, and of
            one of several seeds `SWEEP/TRIAL/SEED`.
        name: its name in MLflow's lists, without control characters.
        kind: run, sweep, trial, seed or rerun; empty for a run that gdexp did not make.
        state: MLflow's word: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED.
        params: the resolved config, keys with dots, values as MLflow's text.
        metrics: the last value of each.
        tags: MLflow's own among them.
        trial: number of the trial in its sweep; of a seed's run, that of its trial.
        parent: run id of the sweep, or of a seed's trial.
        started: milliseconds since 1970.
        experiment_id: the MLflow experiment that it is in.
        home: URI of its artifacts.
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
    _files: Files = field(repr=False)
    _minima: dict[tuple[tuple[str, str], ...], float | None] = field(repr=False)

    @property
    def status(self) -> str:
        """Why the descent ended, one of `Status`; empty when the run does not say."""
        return printable(self.tags.get("gdexp.status", ""))

    @property
    def converged(self) -> bool:
        """Whether it reached its own threshold."""
        return self.status == Status.CONVERGED

    @property
    def short(self) -> str:
        """The first eight characters of the run id, which name it almost always.

        Of a trial that is a row of its sweep's shards those of the sweep's, and its number.
        """
        first, slash, rest = self.run_id.partition("/")
        return f"{first[:8]}{slash}{rest}"

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The params as values: numbers, lists and None where their text is JSON, else the text."""
        return {key: value_of(text) for key, text in self.params.items()}

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was run, from `config.yaml`.

        Raises:
            Unreadable: there is none, or it is too large or no plain YAML.
        """
        return self._files.read(self.run_id, self.home, "config.yaml", read_config)

    @cached_property
    def trace(self) -> Trace:
        """The loss at iterations 0 … n; float64, shape (n + 1,).

        Raises:
            Unreadable: the run has none, as when it was not made by gdexp.
        """
        return self._files.read(self.run_id, self.home, "trace.npy", read_trace)

    @cached_property
    def initial(self) -> Array:
        """The point at iteration 0, in the dtype it was computed in."""
        return self._files.read(self.run_id, self.home, "initial.npy", read_array)

    @cached_property
    def final(self) -> Array:
        """The point at the last iteration."""
        return self._files.read(self.run_id, self.home, "final.npy", read_array)

    @property
    def iterations(self) -> int:
        """Updates made."""
        return len(self.trace) - 1

    @cached_property
    def threshold(self) -> float | None:
        """The threshold it was to reach; None when the run does not say."""
        value = self.values.get("stopping.threshold")
        known = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
        return float(value or 0) if known else None

    @cached_property
    def recorded_time(self) -> float:
        """The hitting time at its own threshold as recorded, projected when it did not converge.

        Infinite when the run does not say.
        """
        value = self.metrics.get("hitting_time", math.inf)
        return math.inf if math.isnan(value) else value

    @cached_property
    def f_star(self) -> float:
        """What the threshold is measured from: f* of its problem, 0 where none is known.

        Raises:
            Unreadable: the problem is not one of gdexp's and the record does not go with 0.
        """
        if "f_star" in self.metrics:
            return self.metrics["f_star"]
        key = tuple(sorted((k, v) for k, v in self.params.items() if k.startswith("problem")))
        if key not in self._minima:
            self._minima[key] = self._reference()
        known = self._minima[key]
        if known is not None:
            return known
        if not self._goes_with_zero():
            raise Unreadable("the minimum f* of its problem is not known here")
        return 0.0

    @property
    def configuration(self) -> tuple[tuple[str, str], ...]:
        """All params but the seed: what runs over several seeds have in common."""
        return tuple(sorted((k, v) for k, v in self.params.items() if k != SEED))

    @property
    def gaps(self) -> Trace:
        """The losses above f* at iterations 0 … n, shape (n + 1,)."""
        gaps: Trace = self.trace - self.f_star
        return gaps

    def hitting_time(self, threshold: float | None = None) -> float | None:
        """The continuous hitting time at a threshold, its own by default; None: not reached."""
        return self.hitting_times([self._threshold(threshold)])[0]

    def iterations_to(self, threshold: float | None = None) -> int | None:
        """The first iteration within a threshold, its own by default; None: not reached."""
        return first_hits(self.trace, [self._threshold(threshold)], self.f_star)[0]

    def hitting_times(self, thresholds: Sequence[float]) -> list[float | None]:
        """The hitting times at many thresholds in one pass over the trace."""
        trace, f_star = self.trace, self.f_star
        found: list[float | None] = []
        for k, threshold in zip(first_hits(trace, thresholds, f_star), thresholds, strict=True):
            if k is None:
                found.append(None)
                continue
            before = float(trace[k - 1]) - f_star if k else math.nan
            found.append(_crossed(k, before, float(trace[k]) - f_star, threshold))
        return found

    def experiment(self) -> Experiment:
        """The objects that its config stands for; of gdexp's own classes only.

        Raises:
            BadInput: a problem of the user's own, or a device that is not here.
            Unreadable: no config.
        """
        return stored_experiment(self.config)

    def content(self, name: str, most: int) -> bytes:
        """One of its files as bytes.

        Args:
            name: of the file; a plain path below the run's own, see `rerun.reference`.
            most: the largest size that is read.

        Raises:
            Unreadable: there is none, or it is larger.
        """
        return self._files.read(self.run_id, self.home, name, lambda path: read_bytes(path, most))

    def unfit(self) -> str | None:
        """Say why it cannot be compared, in one clause; None when it can."""
        if self.state in ("RUNNING", "SCHEDULED"):
            return "is still running"
        if self.state != "FINISHED":
            return f"ended {self.state}"
        try:
            _ = self.trace, self.f_star
        except Unreadable as error:
            made = "" if self.kind else " (not recorded by gdexp)"
            return f"{error}{made}"
        return None

    def _threshold(self, threshold: float | None) -> float:
        chosen = self.threshold if threshold is None else threshold
        if chosen is None:
            raise BadInput("threshold", None, f"must be given: run {self.short} records none")
        return chosen

    def _reference(self) -> float | None:
        try:
            return self.experiment().problem.reference
        except (BadInput, Unreadable):
            return None

    def _goes_with_zero(self) -> bool:
        """Whether the recorded hitting time follows from the trace with f* = 0."""
        if self.threshold is None or "hitting_time" not in self.metrics:
            return self.kind == ""
        if self.converged:
            k = first_hits(self.trace, [self.threshold])[0]
            if k != len(self.trace) - 1:
                return False
            before = float(self.trace[k - 1]) if k else math.nan
            time = _crossed(k, before, float(self.trace[k]), self.threshold)
        else:
            limit = self.values.get("stopping.max_iterations")
            if self.status not in list(Status) or not isinstance(limit, int):
                return False
            stopping = Stopping(self.threshold, limit, self.values.get("stopping.cap"))
            time = projected_time(self.trace, stopping, Status(self.status))
        return math.isclose(time, self.recorded_time, rel_tol=1e-9)

    def __repr__(self) -> str:
        return f"<{self.kind or 'run'} {self.short} {self.name!r}: {self.status or self.state}>"


def value_of(text: str) -> Any:  # noqa: ANN401
    """A param's text as the value it was, where it is JSON, else as it stands."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _crossed(k: int, before: float, after: float, threshold: float) -> float:
    """`stopping.crossing`, also where the loss before the hit was not finite."""
    if k and not np.isfinite(before):
        return float(k)
    return crossing_time(k, before, after, threshold)
