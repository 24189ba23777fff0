"""The keys of `hydra.sweeper`, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from gdexp.core import BadInput, nearest, validation
from gdexp.sweeper.storage import journal_of
from gdexp.sweeps import DIRECTIONS, MODES, RETURNED, SweepSettings
from gdexp.tracking import TrackingSettings

SECTION = "hydra.sweeper"

OTHERS = {
    "max_batch_size": "basic",
    "ax_config": "ax",
    "optim": "nevergrad",
    "parametrization": "nevergrad",
    "smac_class": "SMAC",
    "scenario": "SMAC",
    "smac_kwargs": "SMAC",
}
"""Keys of other sweepers, each with the sweeper."""

MLFLOW = "mlflow"
MOST_STEPS = 1_000_000
"""The reports after which a trial ends, where no other limit is given."""


@dataclass(frozen=True)
class SweeperSettings:
    """The keys of `hydra.sweeper`, as any Hydra application has them.

    Args:
        sampler: a file of `hydra/sweeper/sampler`, or a mapping with Optuna's `_target_`.
        direction: minimize or maximize what the function returns; a list for several numbers.
        storage: path of an Optuna journal file, or postgresql://…; None: `sweeps/NAME/`.
        study_name: the same name continues a study; None: a name made from the sweep.
        n_trials: trials in all, failed ones among them.
        n_jobs: the same as `workers`, as hydra-optuna-sweeper calls it.
        max_failure_rate: the largest share of `n_trials` that may fail before the sweep ends, from
            0 to 1; 0 ends it at the first failure. None: `max_failures` decides.
        search_space: what is swept, as hydra-optuna-sweeper 1.1 wrote it.
        params: key to Hydra sweep expression.
        custom_search_space: import path of a function of (config, trial) that suggests more.
        objective: returned, hitting_time, best, last or value_at:N; None: hitting_time with a
            threshold, best with a metric, else returned.
        metric: of `gdexp.report`, which the goal or the pruner reads.
        mode: min or max, the better direction of the metric.
        threshold: of the metric; a trial ends where it is met.
        max_steps: a trial ends after so many reported steps.
        max_seconds: a trial ends at the first report after so many seconds.
        cap: as `sweep.cap` of gdexp's own sweeps, in reported steps.
        pruner: as `sweep.pruner`.
        seeds: jobs of a trial, which differ in the value of `seed_key` alone; their mean is told.
        seed_key: the application's key of its seed.
        patience: end after so many trials in a row without improvement.
        timeout: seconds after which no new trial starts.
        max_failures: end after so many failed trials; None: after 10 in a row, or when at least
            half have failed once 20 have ended.
        workers: processes of this machine, or jobs of the launcher; `all`: one for each core.
        accept_changes: go on though the application's code changed since the study began.
        preview: print the space and the first trials' settings, and run nothing.
        job_dirs: whether each trial has a folder of its own with `.hydra/` and its log.
        tracking: mlflow: sweep and trials are runs in MLflow; or a mapping with `uri` and
            `experiment`; None: nothing is tracked.
    """

    sampler: Mapping[str, Any]
    direction: str | Sequence[str] = "minimize"
    storage: str | None = None
    study_name: str | int | None = None
    n_trials: int = 20
    n_jobs: int | None = None
    max_failure_rate: float | None = None
    search_space: Mapping[str, Any] | None = None
    params: Mapping[str, Any] | None = None
    custom_search_space: str | None = None
    objective: str | Sequence[str] | None = None
    metric: str | None = None
    mode: str | None = None
    threshold: float | None = None
    max_steps: int | None = None
    max_seconds: float | None = None
    cap: float | None = None
    pruner: str | Mapping[str, Any] = "none"
    seeds: int = 1
    seed_key: str = "seed"
    patience: int | None = None
    timeout: float | None = None
    max_failures: int | None = None
    workers: int | str | None = None
    accept_changes: bool = False
    preview: bool = False
    job_dirs: bool = True
    tracking: str | Mapping[str, Any] | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SweeperSettings:
        """Return the checked settings.

        Args:
            given: the keys of `hydra.sweeper` as plain values.

        Raises:
            BadInput: names the key; of a key of another sweeper also the sweeper.
        """
        known = [field.name for field in fields(cls)]
        for key, value in given.items():
            if key not in known:
                other = OTHERS.get(key)
                why = nearest(str(key), known) if other is None else f"is a key of {other}'s"
                more = "" if other is None else f"; hydra/sweeper={other} has it, gdexp does not"
                raise BadInput(f"{SECTION}.{key}", value, f"{why}{more}")
        try:
            settings = cls(**given)
            settings._check()
        except BadInput as error:
            raise error.in_section(SECTION) from None
        return settings

    def _check(self) -> None:
        validation.boolean("job_dirs", self.job_dirs)
        for each in self.directions:
            validation.choice("direction", each, DIRECTIONS)
        if self.mode is not None:
            validation.choice("mode", self.mode, tuple(MODES))
        rate = self.max_failure_rate
        if rate is not None and not 0 <= validation.number("max_failure_rate", rate) <= 1:
            raise BadInput("max_failure_rate", rate, "must be from 0 to 1")
        if rate is not None and self.max_failures is not None:
            raise BadInput("max_failures", self.max_failures, "cannot be given beside a rate")
        if self.n_jobs is not None:
            validation.integer("n_jobs", self.n_jobs, low=1)
        if None not in (self.n_jobs, self.workers) and self.n_jobs != self.workers:
            raise BadInput("n_jobs", self.n_jobs, f"must be equal to workers={self.workers}")
        if self.threshold is not None and self.metric is None:
            raise BadInput("metric", None, "must name what gdexp.report gives, with a threshold")
        needed = self.threshold is not None or self.kinds[0] in ("hitting_time", "best")
        if needed and self.metric is not None and self.mode is None:
            raise BadInput(
                "mode", None, f"must be min or max, the better direction of {self.metric}"
            )
        if self.custom_search_space is not None:
            validation.text("custom_search_space", self.custom_search_space)
        self.tracking_settings("")

    @property
    def directions(self) -> list[str]:
        """The direction of each number that the function returns."""
        given = self.direction
        listed = list(given) if isinstance(given, list | tuple) else [given]
        return [str(getattr(each, "name", each)).lower() for each in listed]

    @property
    def kinds(self) -> list[str]:
        """The objectives, as gdexp's own sweeps name them."""
        if self.objective is not None:
            given = self.objective
            return [given] if isinstance(given, str) else list(given)
        if self.metric is not None:
            return ["hitting_time" if self.threshold is not None else "best"]
        several = len(self.directions)
        return [RETURNED] if several == 1 else [f"{RETURNED}:{i}" for i in range(several)]

    @property
    def returned(self) -> int:
        """How many numbers the function must return; 0 where what it returns does not matter."""
        return len(self.directions) if any(each.startswith(RETURNED) for each in self.kinds) else 0

    @property
    def worker_count(self) -> int | str:
        """The number of workers, or `all`."""
        given = self.n_jobs if self.workers is None else self.workers
        return 1 if given is None else given

    @property
    def failure_key(self) -> str:
        """The key that limits the failures."""
        return "max_failures" if self.max_failure_rate is None else "max_failure_rate"

    def sweep_settings(self, sampler: str | Mapping[str, Any]) -> SweepSettings:
        """Return the settings as those of gdexp's own sweeps.

        Args:
            sampler: as gdexp's own sweeps name it.
        """
        most = self.max_failures
        if self.max_failure_rate is not None:
            most = math.floor(self.max_failure_rate * self.n_trials) + 1
        kinds = self.kinds
        wanted = [self._direction(kind, at) for at, kind in enumerate(kinds)]
        return SweepSettings(
            name=None if self.study_name is None else str(self.study_name),
            n_trials=self.n_trials,
            objective=kinds[0] if len(kinds) == 1 else kinds,
            metric=self.metric,
            direction=wanted[0] if len(kinds) == 1 else wanted,
            pruner=self.pruner,
            seeds=self.seeds,
            sampler=sampler,
            cap=self.cap,
            timeout=self.timeout,
            max_failures=most,
            patience=self.patience,
            accept_changes=self.accept_changes,
            preview=self.preview,
            storage=journal_of(self.storage),
            workers=self.worker_count,
        )

    def _direction(self, kind: str, at: int) -> str | None:
        if kind.startswith(RETURNED):
            place = int(kind.partition(":")[2] or 0)
            return self.directions[place] if place < len(self.directions) else None
        if kind.startswith(("best", "last", "value_at")):
            return (
                MODES[self.mode]
                if self.mode
                else self.directions[min(at, len(self.directions) - 1)]
            )
        return None

    def stopping(self) -> dict[str, Any]:
        """Return what ends a trial, as the group `stopping` of gdexp's own configs."""
        return {
            "threshold": self.threshold,
            "max_iterations": MOST_STEPS if self.max_steps is None else self.max_steps,
            "metric": "loss" if self.metric is None else self.metric,
            "mode": self.mode,
            "every": 1,
            "max_seconds": self.max_seconds,
            "absolute": True,
        }

    def tracking_settings(self, experiment: str) -> TrackingSettings | None:
        """Return where runs are kept; None where nothing is tracked.

        Args:
            experiment: the name of the MLflow experiment where none is given.
        """
        given = self.tracking
        if given is None:
            return None
        if isinstance(given, str):
            validation.choice("tracking", given, (MLFLOW,))
            given = {}
        if not isinstance(given, Mapping) or set(given) - {"uri", "experiment"}:
            raise BadInput("tracking", given, "must be mlflow, or {uri: …, experiment: …}")
        name = given.get("experiment") or experiment or "gdexp"
        try:
            return TrackingSettings(uri=given.get("uri"), experiment=name)
        except BadInput as error:
            raise error.in_section("tracking") from None
