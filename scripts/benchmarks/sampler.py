"""Trials and updates that each sampler needs until it has found a good learning rate.

Sweeps of the learning rate alone, and of learning rate and threshold as `+sweep` has them, without
storage and tracking, on shipped problems. What gdexp's own sampler does, and which sampler is the
default, was chosen on one half of them (`CHOSEN_ON`); the other half (`REPORTED`) was looked at
afterwards. A trial is good when its descent needs at most 1 % more iterations than the fewest that
a fine grid of rates finds at the loosest threshold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import NamedTuple

import numpy as np
import optuna
from hydra import compose, initialize_config_dir
from optuna.distributions import FloatDistribution
from optuna.trial import Trial

from benchmarks.measure import Figure, figure
from gdexp import config, hydra_plugins
from gdexp.descent import Cap, Result, descend_batch
from gdexp.experiment import Experiment
from gdexp.sweeps.evidence.bootstrap import interval, resampled_seeds
from gdexp.sweeps.sampling import Learned, Sampler
from gdexp.sweeps.study import RECORD, TrialRecord
from gdexp.sweeps.worker.learned_outcomes import learned_outcome

SEEDS, MOST, WITHIN, POINTS = 20, 60, 1.01, 600
LR, THRESHOLD = "optimizer.lr", "stopping.threshold"
LOW, HIGH = 1e-3, 10.0
STOPPING = ("stopping.threshold=1e-5", "stopping.max_iterations=20000")
RATES = {LR: FloatDistribution(LOW, HIGH, log=True)}
SPACES = {
    "lr": RATES,
    "lr and threshold": {**RATES, THRESHOLD: FloatDistribution(1e-8, 1e-2, log=True)},
}
"""What is swept: at the threshold of `STOPPING`, and what `+sweep` sweeps."""

CHOSEN_ON = {
    "quadratic, condition 10": ("problem=quadratic", "problem.mu=0.1"),
    "quadratic, condition 300": (
        "problem=quadratic",
        "problem.mu=0.00333333",
        "problem.dimension=20",
    ),
    "booth": ("problem=booth",),
    "matyas": ("problem=matyas",),
    "himmelblau": ("problem=himmelblau",),
    "booth, adam": ("problem=booth", "optimizer=adam"),
    "quadratic, condition 10, momentum": (
        "problem=quadratic",
        "problem.mu=0.1",
        "optimizer=momentum",
    ),
}
REPORTED = {
    "matrix": ("problem=matrix",),
    "quadratic, condition 100": ("problem=quadratic",),
    "ols": ("problem=ols",),
    "rosenbrock": ("problem=rosenbrock",),
    "beale": ("problem=beale",),
    "hyperbola": ("problem=hyperbola",),
    "rosenbrock, adam": ("problem=rosenbrock", "optimizer=adam"),
    "quadratic, condition 100, momentum": ("problem=quadratic", "optimizer=momentum"),
}
GOALS = {"lr: matrix": 10, "lr: quadratic, condition 100": 15}
"""The median of the trials that gdexp's own sampler is to need."""

OWN, USUAL = "learning_rate", "tpe"
SAMPLERS = (OWN, USUAL, "random", "qmc", "cmaes", "gp")
SLOW = {"gp": 30}
"""The most trials of a sampler that takes seconds for each sweep."""


class Spent(NamedTuple):
    """What a sweep needed until a trial was good; one trial more than all if none was.

    Attributes:
        trials: up to the good one.
        updates: of these trials.
    """

    trials: int
    updates: int


def run(rounds: int) -> list[Figure]:
    """Medians over 20 sampler seeds; `--rounds 1` measures the own sampler and TPE alone."""
    found = []
    for half, cases in (("chosen on", CHOSEN_ON), ("reported", REPORTED)):
        for name, lines in cases.items():
            for swept in SPACES:
                samplers = SAMPLERS[: 2 if rounds == 1 else None]
                found.append(compared(f"{swept}: {name}", half, lines, swept, samplers))
    return found


def compared(
    name: str, half: str, lines: Sequence[str], swept: str, samplers: Sequence[str]
) -> Figure:
    """Return the trials of the own sampler, held against those of TPE."""
    sweeps = Simulated(lines, swept)
    spent = {each: sweeps.until_good(each) for each in samplers}
    trials = {sampler: [each.trials for each in all_] for sampler, all_ in spent.items()}
    notes = [_summary(sampler, all_) for sampler, all_ in spent.items()]
    target = min(GOALS.get(name, MOST + 1), median(trials[USUAL]))
    return figure(f"{name} ({half})", trials[OWN], target, note="; ".join(notes))


def _summary(sampler: str, spent: Sequence[Spent]) -> str:
    """Return medians with their intervals, and how many sweeps found no good rate."""
    trials, updates = (np.array(each, dtype=float) for each in zip(*spent, strict=True))
    draws = resampled_seeds(len(spent))
    low, high = interval(np.median(trials[draws], axis=1), len(spent))
    never = int((trials > SLOW.get(sampler, MOST)).sum())
    text = f"{sampler} {np.median(trials):g} trials ({low:g} to {high:g})"
    return f"{text}, {np.median(updates):,.0f} updates" + (f", {never} never" if never else "")


class Simulated:
    """Sweeps with the seeds 0, 1, …, in this process, a trial of each at a time.

    Args:
        lines: overrides of one run.
        swept: one of `SPACES`.
    """

    def __init__(self, lines: Sequence[str], swept: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = SPACES[swept]
        hydra_plugins.register()
        with initialize_config_dir(str(config.shipped()), version_base="1.3"):
            composed = config.plain(compose("config", [*STOPPING, *lines]))
        self._base = Experiment.from_config(composed)
        self._learned = Learned([LR], THRESHOLD, learned_outcome(composed["dtype"]))
        self._good = WITHIN * self._fewest()

    def until_good(self, name: str) -> list[Spent]:
        """Return what each sweep spent until a trial was good."""
        most = SLOW.get(name, MOST)
        studies = {seed: optuna.create_study() for seed in range(SEEDS)}
        updates = dict.fromkeys(studies, 0)
        spent = {seed: Spent(most + 1, 0) for seed in studies}
        for ordinal in range(most):
            if not studies:
                break
            trials = {
                seed: self._ask(name, study, seed, ordinal) for seed, study in studies.items()
            }
            results = self._descend([each.params for each in trials.values()])
            for (seed, trial), result in zip(trials.items(), results, strict=True):
                updates[seed] += result.iterations
                spent[seed] = spent[seed]._replace(updates=updates[seed])
                if result.converged and result.iterations <= self._good:
                    spent[seed] = Spent(ordinal + 1, updates[seed])
                    del studies[seed]
                    continue
                record = TrialRecord.build("", [result], Cap(None), 1, [False])
                trial.set_user_attr(RECORD, record.as_attribute())
                studies[seed].tell(trial, result.hitting_time)
        return list(spent.values())

    def _ask(self, name: str, study: optuna.Study, seed: int, ordinal: int) -> Trial:
        sampler = Sampler(name).for_trial(seed, ordinal, False, self._space, self._learned)
        study.sampler = sampler
        return study.ask(dict(self._space))

    def _fewest(self) -> int:
        """Return the fewest iterations on a grid of rates, made finer at its best twice."""
        loosest = {k: range_.high for k, range_ in self._space.items() if k == THRESHOLD}
        low, high = math.log(LOW), math.log(HIGH)
        found: dict[float, int] = {}
        for points in (POINTS, 60, 60):
            step = (high - low) / (points - 1)
            rates = [min(max(math.exp(low + i * step), LOW), HIGH) for i in range(points)]
            results = self._descend([{LR: rate, **loosest} for rate in rates])
            reached = zip(rates, results, strict=True)
            found |= {rate: each.iterations for rate, each in reached if each.converged}
            best = math.log(min(found, key=lambda rate: found[rate]))
            low, high = best - step, best + step
        return min(found.values())

    def _descend(self, chosen: Sequence[Mapping[str, float]]) -> list[Result]:
        """Return the results of descents with these parameters."""
        first = self._base
        assert first.function is not None
        rules = [replace(first.rule, lr=each[LR]) for each in chosen]  # type: ignore[call-arg]
        stoppings = [
            replace(first.stopping, threshold=each.get(THRESHOLD, first.stopping.threshold))
            for each in chosen
        ]
        made = descend_batch(
            first.function,
            rules,
            stoppings,
            seeds=[first.seed] * len(rules),
            dtype=first.dtype,
            device=first.device,
            engine=first.engine,
            plans=first.plans,
        )
        return list(made)
