"""The config group `sweep`, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gdexp.core import BadInput, learn_secret, validation
from gdexp.descent import COSTS, ITERATIONS, LOSS
from gdexp.sweeps.budget import Budget
from gdexp.sweeps.objective import HITTING_TIME, Objective, objectives, with_cost
from gdexp.sweeps.problem_list import as_entries
from gdexp.sweeps.pruning import NONE, Pruner
from gdexp.sweeps.sampling import Sampler
from gdexp.tracking import is_postgresql, mask_uri

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
STORAGES = "the path of a journal file, or postgresql://…"
MOST_SEEDS, MOST_AT_ONCE = 10_000, 10_000
RACE_SEEDS = 3
"""The seeds of a trial before a race."""

ALL, MOST_WORKERS = "all", 1_000


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class SweepSettings:
    """The settings of a sweep.

    Args:
        name: of the study; the same name continues it. None: a name made from the plan, so that
            the same command continues the study and another command starts a new one.
        n_trials: completed trials that end the sweep; None: every point of a finite space, else
            100.
        objective: hitting_time; seconds, the time to the threshold; best, last or value_at:N, a
            value of a metric, for which the threshold plays no part; or a list of them, whose
            Pareto front is looked for; pareto is hitting time and threshold.
        cost: what is counted until the threshold is met: iterations; gradients or evaluations (of
            the loss), those of a line search's trials too; or seconds. It replaces the hitting
            time as the objective.
        metric: of objectives that are a value, one for all or one for each, and what a pruner
            reads; None: `stopping.metric`.
        direction: minimize or maximize, likewise; None: minimize for the loss, and what
            `stopping.mode` says for its metric.
        budget: of a trial: iterations, or a text with a unit, `20epochs` or `60s`; None: what
            `stopping` allows.
        pruner: none, median, percentile, hyperband, successive_halving, patience or wilcoxon; or a
            mapping with `name` and options of Optuna's class.
        seeds: descents of a trial, from `seed`, `seed + 1`, …; with several the expected running
            time is minimised: all iterations spent, failures included, over the successes.
        race: whether each trial begins with three seeds, and what is left of `n_trials` × `seeds`
            descents is for the trials that may still be the best.
        problems: on which each trial runs, with the same settings: names of files, or mappings with
            `name`, keys of it and `best_known`, a count that is known; the geometric mean of the
            ratios to the best known counts is minimised. None: `problem`.
        held_out: on which the winner runs when the trials are done; it changes no trial.
        confirm: seeds from which the winner and its contenders run again when the trials are done,
            each after the last seed of a trial; shown apart, it changes no trial. None: none.
        sampler: learning_rate, tpe, random, qmc, gp, cmaes, nsgaii or grid; or a mapping with
            `name` or Optuna's `_target_` and options; or auto: grid for a finite space,
            learning_rate where the iterations of a function are minimised over the learning rate,
            or it and the threshold, else tpe.
        space: key to Hydra sweep expression, such as `tag(log, interval(1e-3, 10))`.
        cap: end a trial after `cap` times the fewest iterations of any finished trial with an
            equal or tighter threshold, >= 1; None: never. With 1 the winner stays the same.
        continue_to: a threshold, > 0, to which the trace of every descent that converged goes on,
            so that the threshold table has no gaps; None: each ends at its own threshold.
        batch: trials that are asked and run together; None: one at a time where the sampler
            learns from each trial, else many.
        timeout: seconds after which no new trial starts; None: no limit.
        max_failures: end after so many failed trials of one start, >= 1; None: after 10 in a row,
            or when at least half have failed once 20 have ended.
        patience: end after so many trials in a row without improvement; None: never.
        reuse: take a tracked, finished run of the same configuration instead of a new descent.
        accept_changes: go on with a study though files of the user's own changed since it began;
            the trials from then on are marked.
        preview: print the space and the first trials' settings, and run nothing.
        storage: path of an Optuna journal file; None: `sweeps/NAME/study.journal`. Or the address
            of a PostgreSQL server, for workers that share no file system.
        workers: processes that share the study; `all`: one for each core of this machine.
    """

    name: str | None = None
    n_trials: int | None = 100
    objective: str | Sequence[str] = HITTING_TIME
    cost: str = ITERATIONS
    metric: str | Sequence[str | None] | None = None
    direction: str | Sequence[str | None] | None = None
    budget: int | str | None = None
    pruner: str | Mapping[str, Any] = NONE
    seeds: int = 1
    race: bool = False
    problems: Sequence[str | Mapping[str, Any]] | None = None
    held_out: Sequence[str | Mapping[str, Any]] | None = None
    confirm: int | None = None
    sampler: str | Mapping[str, Any] = "auto"
    space: Mapping[str, Any] = field(default_factory=dict)
    cap: float | None = None
    continue_to: float | None = None
    batch: int | None = None
    timeout: float | None = None
    patience: int | None = None
    max_failures: int | None = None
    reuse: bool = False
    accept_changes: bool = False
    preview: bool = False
    storage: str | None = None
    workers: int | str = 1

    def __post_init__(self) -> None:
        self._check_name()
        if self.n_trials is not None:
            validation.integer("n_trials", self.n_trials, low=1, high=10_000_000)
        validation.choice("cost", self.cost, COSTS)
        Budget.parse(self.budget)
        Pruner.parse(self.pruner)
        validation.integer("seeds", self.seeds, low=1, high=MOST_SEEDS)
        if validation.boolean("race", self.race) and self.seeds <= RACE_SEEDS:
            raise BadInput(
                "race",
                True,
                f"needs sweep.seeds of at least {RACE_SEEDS + 1}: each trial begins with "
                f"{RACE_SEEDS}, and the others are for the race",
            )
        if self.confirm is not None:
            validation.integer("confirm", self.confirm, low=1, high=MOST_SEEDS)
        as_entries("problems", self.problems)
        as_entries("held_out", self.held_out)
        Sampler.parse(self.sampler)
        if self.space is not None and not isinstance(self.space, Mapping):
            raise BadInput("space", self.space, "must map keys to ranges: {optimizer.lr: …}")
        if self.cap is not None and validation.number("cap", self.cap) < 1:
            raise BadInput("cap", self.cap, "must be >= 1: below, the best trial would be cut off")
        if self.continue_to is not None:
            validation.positive("continue_to", self.continue_to)
        if self.batch is not None:
            validation.integer("batch", self.batch, low=1, high=MOST_AT_ONCE)
        if self.timeout is not None:
            validation.positive("timeout", self.timeout)
        if self.patience is not None:
            validation.integer("patience", self.patience, low=1, high=10_000_000)
        if self.max_failures is not None:
            validation.integer("max_failures", self.max_failures, low=1, high=10_000_000)
        validation.boolean("reuse", self.reuse)
        validation.boolean("accept_changes", self.accept_changes)
        validation.boolean("preview", self.preview)
        if self.storage is not None:
            validation.text("storage", self.storage)
            if is_postgresql(self.storage):
                learn_secret(self.storage)
            elif "://" in self.storage:
                raise BadInput("storage", mask_uri(self.storage), f"must be {STORAGES}")
        if self.workers != ALL:
            if isinstance(self.workers, str):
                raise BadInput("workers", self.workers, f"must be 1 to {MOST_WORKERS:,}, or {ALL}")
            validation.integer("workers", self.workers, low=1, high=MOST_WORKERS)

    def objectives(self, stopping: Mapping[str, Any]) -> tuple[Objective, ...]:
        """Return what is minimised or maximised.

        Args:
            stopping: the group of the config, whose metric is meant where none is given.
        """
        own, budget = stopping.get("metric") or LOSS, Budget.parse(self.budget)
        same = self.metric in (None, own)
        metric = own if self.metric is None else self.metric
        mode = stopping.get("mode") if same else None
        iterations = None if budget is None else budget.iterations
        try:
            found = objectives(self.objective, metric, self.direction, iterations, mode)
            return with_cost(found, self.cost)
        except BadInput as error:
            raise error.in_section("sweep") from None

    @property
    def trial_seeds(self) -> int:
        """The seeds of each trial, before a race."""
        return RACE_SEEDS if self.race else self.seeds

    @property
    def worker_count(self) -> int:
        """The number of workers that share the study."""
        return cores() if self.workers == ALL else int(self.workers)

    def _check_name(self) -> None:
        given: object = self.name
        if type(given) is int:  # Hydra parses digits as an integer
            object.__setattr__(self, "name", str(given))
        if self.name is not None and (
            not isinstance(self.name, str) or not NAME.fullmatch(self.name)
        ):
            raise BadInput(
                "name", self.name, "must be letters, digits, '.', '_' and '-', at most 100"
            )
