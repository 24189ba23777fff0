"""Trials and updates that each sampler needs until it has found a good learning rate.

Sweeps of the learning rate alone, without storage and tracking, on shipped problems. What the
sampler of gdexp's own does was chosen on one half of them (`CHOSEN_ON`); the other half
(`REPORTED`) was looked at afterwards. A rate is good when its descent needs at most 1 % more
iterations than the fewest that a fine grid of rates finds.
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import optuna
from hydra import compose, initialize_config_dir

from benchmarks.measure import Figure, figure
from gdexp import config, hydra_plugins
from gdexp.descent import Cap, Result, descend_batch
from gdexp.experiment import Experiment
from gdexp.sweeps.evidence.bootstrap import interval, resampled_seeds
from gdexp.sweeps.sampling import Learned, Sampler
from gdexp.sweeps.study import RECORD, TrialRecord
from gdexp.sweeps.worker.learned_outcomes import learned_outcome

SEEDS, MOST, WITHIN, POINTS = 20, 60, 1.01, 600
LR = "optimizer.lr"
LOW, HIGH = 1e-3, 10.0
STOPPING = ("stopping.threshold=1e-5", "stopping.max_iterations=20000")

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
GOALS = {"matrix": 10, "quadratic, condition 100": 15}
"""The median of the trials that gdexp's own sampler is to need."""

OWN, USUAL = "learning_rate", "tpe"
SAMPLERS = (OWN, USUAL, "random", "qmc", "cmaes")
"""Optuna's gp is left out: 20 sweeps of 60 trials take it minutes on each problem."""


def run(rounds: int) -> list[Figure]:
    """Medians over 20 sampler seeds; `--rounds 1` measures the own sampler and TPE alone."""
    found = []
    for half, cases in (("chosen on", CHOSEN_ON), ("reported", REPORTED)):
        for name, lines in cases.items():
            sweep = Simulated(lines)
            spent = {
                sampler: [sweep.until_good(sampler, seed) for seed in range(SEEDS)]
                for sampler in SAMPLERS[: 2 if rounds == 1 else None]
            }
            trials = {sampler: [t for t, _ in pairs] for sampler, pairs in spent.items()}
            notes = [_summary(sampler, pairs) for sampler, pairs in spent.items()]
            target = min(GOALS.get(name, MOST + 1), median(trials[USUAL]))
            found.append(figure(f"{half}: {name}", trials[OWN], target, note="; ".join(notes)))
    return found


def _summary(sampler: str, spent: list[tuple[int, int]]) -> str:
    """Return medians with their intervals, and how many sweeps found no good rate."""
    trials, updates = (np.array(each, dtype=float) for each in zip(*spent, strict=True))
    draws = resampled_seeds(len(spent))
    low, high = interval(np.median(trials[draws], axis=1), len(spent))
    never = int((trials > MOST).sum())
    text = f"{sampler} {np.median(trials):g} trials ({low:g} to {high:g})"
    return f"{text}, {np.median(updates):,.0f} updates" + (f", {never} never" if never else "")


class Simulated:
    """Sweeps of a learning rate in this process.

    Args:
        lines: overrides of one run.
    """

    def __init__(self, lines: tuple[str, ...]) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._range = optuna.distributions.FloatDistribution(LOW, HIGH, log=True)
        hydra_plugins.register()
        with initialize_config_dir(str(config.shipped()), version_base="1.3"):
            composed = config.plain(compose("config", [*STOPPING, *lines]))
        self._base = Experiment.from_config(composed)
        self._dtype = str(composed["dtype"])
        self._results: dict[float, Result] = {}
        self._good = WITHIN * self._fewest()

    def until_good(self, sampler: str, seed: int) -> tuple[int, int]:
        """Return the trials until one is good, and their updates; one more than all if none is."""
        study = optuna.create_study()
        outcome = learned_outcome(self._dtype)
        learned = Learned([LR], "stopping.threshold", outcome)
        made = 0
        for ordinal in range(MOST):
            space = {LR: self._range}
            study.sampler = Sampler(sampler).for_trial(seed, ordinal, False, space, learned)
            trial = study.ask(dict(space))
            result = self._result(trial.params[LR])
            made += result.iterations
            if result.converged and result.iterations <= self._good:
                return ordinal + 1, made
            record = TrialRecord.build("", [result], Cap(None), 1, [False])
            trial.set_user_attr(RECORD, record.as_attribute())
            study.tell(trial, result.hitting_time)
        return MOST + 1, made

    def _fewest(self) -> int:
        """Return the fewest iterations on a grid of rates, made finer at its best twice."""
        low, high = math.log(LOW), math.log(HIGH)
        found: dict[float, int] = {}
        for points in (POINTS, 60, 60):
            step = (high - low) / (points - 1)
            rates = [min(max(math.exp(low + i * step), LOW), HIGH) for i in range(points)]
            results = self._together(rates)
            reached = zip(rates, results, strict=True)
            found |= {rate: each.iterations for rate, each in reached if each.converged}
            best = math.log(min(found, key=lambda rate: found[rate]))
            low, high = best - step, best + step
        return min(found.values())

    def _together(self, rates: list[float]) -> list[Result]:
        made, first = [self._experiment(rate) for rate in rates], self._base
        assert first.function is not None
        return list(
            descend_batch(
                first.function,
                [each.rule for each in made],
                [each.stopping for each in made],
                seeds=[each.seed for each in made],
                dtype=first.dtype,
                device=first.device,
                engine=first.engine,
                plans=first.plans,
            )
        )

    def _result(self, rate: float) -> Result:
        if rate not in self._results:
            self._results[rate] = self._experiment(rate).run()
        return self._results[rate]

    def _experiment(self, rate: float) -> Experiment:
        changed = {**self._base.config, "engine": self._base.asked_engine}
        changed["optimizer"] = {**changed["optimizer"], "lr": rate}
        experiment = self._base.varied(changed)
        assert experiment is not None
        return experiment
