"""How often a race chooses the truly best learning rate, beside equal seeds in as many descents.

Twenty rates of each problem run from many seeds. The expected running time over all of them says
which rate is truly best. A sweep is then drawn: an order of the seeds decides what equal seeds
choose, and what `sweep.race` does with the same number of descents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from hydra import compose, initialize_config_dir

from benchmarks.measure import Figure
from gdexp import config, hydra_plugins
from gdexp.descent import descend_batch
from gdexp.experiment import Experiment
from gdexp.sweeps.evidence import SeedCounts, run_race
from gdexp.sweeps.evidence.bootstrap import interval, resampled_seeds
from gdexp.sweeps.settings import RACE_SEEDS

SEEDS, RATES, EQUAL = 400, 20, (6, 10)
SWEEPS_PER_ROUND = 20
LR = "optimizer.lr"

PROBLEMS = {
    "matrix, adam": (
        ("problem=matrix", "optimizer=adam", "stopping.max_iterations=2000"),
        (0.03, 0.6),
    ),
    "function, momentum": (
        (
            *("problem=function", "problem.points=16", "problem.hidden=[8]", "optimizer=momentum"),
            *("stopping.threshold=1e-2", "stopping.max_iterations=1000"),
        ),
        (0.02, 0.6),
    ),
    "bbob f8 in 2 dimensions, adam": (
        (
            *("problem=bbob", "problem.function=8", "problem.dimension=2", "optimizer=adam"),
            *("stopping.threshold=1e-2", "stopping.max_iterations=1500"),
        ),
        (0.1, 3.0),
    ),
}
"""Overrides of a run whose start depends on the seed, and the range of the rates."""


def run(rounds: int) -> list[Figure]:
    """Shares of sweeps with the truly best rate; a round draws twenty sweeps."""
    hydra_plugins.register()
    found = []
    for name, (lines, (low, high)) in PROBLEMS.items():
        known = descents(lines, np.geomspace(low, high, RATES).tolist())
        for seeds in EQUAL:
            found.append(_compared(f"{name}, {seeds} seeds", known, seeds, rounds))
    return found


def descents(lines: Sequence[str], rates: Sequence[float]) -> list[SeedCounts]:
    """Return the counts of each rate from all seeds."""
    with initialize_config_dir(str(config.shipped()), version_base="1.3"):
        first = Experiment.from_config(config.plain(compose("config", list(lines))))
    assert first.function is not None
    found = []
    for at, rate in enumerate(rates):
        rule = {**first.config["optimizer"], "lr": rate}
        made = first.varied({**first.config, "engine": first.asked_engine, "optimizer": rule})
        assert made is not None
        results = descend_batch(
            first.function,
            [made.rule] * SEEDS,
            [made.stopping] * SEEDS,
            seeds=range(SEEDS),
            dtype=first.dtype,
            device=first.device,
            engine=first.engine,
            plans=first.plans,
        )
        counts, reached = [r.iterations for r in results], [r.converged for r in results]
        found.append(SeedCounts(at, counts, reached))
    return found


def _compared(name: str, known: Sequence[SeedCounts], seeds: int, rounds: int) -> Figure:
    """Compare a race with equal seeds over sweeps whose seeds come in another order each."""
    truth = {each.trial: each.expected for each in known}
    fewest = min(truth.values())
    draws = np.random.default_rng(seeds)
    chosen = []
    spent = []
    for _ in range(SWEEPS_PER_ROUND * rounds):
        order = draws.permutation(SEEDS).tolist()
        equal = min((_part(each, order, seeds) for each in known), key=lambda each: each.expected)
        entrants = [_part(each, order, RACE_SEEDS) for each in known]
        budget = RATES * (seeds - RACE_SEEDS)
        race = run_race(entrants, budget, {}, partial(_parts, known, order))
        chosen.append((truth[equal.trial], truth[race.winner]))
        spent.append(RATES * RACE_SEEDS + race.spent)
    times = np.array(chosen)
    right, excess = times == fewest, times / fewest - 1
    ends = [_share(right[:, each]) for each in (0, 1)]
    gain = right[:, 1].mean() - right[:, 0].mean()
    low, high = _interval(right[:, 1].astype(float) - right[:, 0])
    return Figure(
        f"{name}: more often right",
        float(gain),
        low,
        high,
        0.0,
        "higher",
        f"best rate chosen by equal seeds {ends[0]}, by the race {ends[1]}; "
        f"mean excess {excess[:, 0].mean():.1%} and {excess[:, 1].mean():.1%}; "
        f"{RATES * seeds} and {np.mean(spent):.0f} descents",
    )


def _parts(
    known: Sequence[SeedCounts], order: Sequence[int], trials: Sequence[int], seeds: int
) -> dict[int, SeedCounts | None]:
    return {trial: _part(known[trial], order, seeds) for trial in trials}


def _part(known: SeedCounts, order: Sequence[int], seeds: int) -> SeedCounts:
    """Return a trial's descents from the first seeds of an order."""
    own = order[:seeds]
    counts, reached = [known.counts[at] for at in own], [known.reached[at] for at in own]
    return SeedCounts(known.trial, counts, reached)


def _share(right: np.ndarray) -> str:
    low, high = _interval(right.astype(float))
    return f"{right.mean():.0%} ({low:.0%} to {high:.0%})"


def _interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % interval of a mean over sweeps."""
    return interval(values[resampled_seeds(len(values))].mean(axis=1), len(values))
