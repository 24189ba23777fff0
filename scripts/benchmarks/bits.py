"""Differing bits between the ways to compute a portable descent, at random and of the shipped ones.

Each round makes 20,000 random descents over all portable problems, rules, schedules and both
types: natively for the host in a batch by two threads; for the plain baseline processor, in a
batch; by torch's single operations, in a batch, also on a GPU where one is; and natively for the
host, each row alone. All cores share the rounds. The shipped descents are made in all ways too,
in batches of 1, 7 and 4,096, and all shipped problems and rules are compared with torch's engine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Figure, figure
from benchmarks.portable_bits import (
    GPU,
    Bits,
    Planned,
    Way,
    batch,
    batch_bits,
    bits,
    planned,
    row_alone,
)
from benchmarks.portable_cases import (
    ACTIVATIONS,
    DTYPES,
    LOSSES,
    RATES,
    SCHEDULES,
    Case,
    cases,
    rules,
    shipped,
    small_fit,
)
from benchmarks.portable_hashes import shipped as shipped_digests
from benchmarks.torch_agreement import combinations, farthest, first_step
from gdexp import Stopping
from gdexp.optimizers import UpdateRule
from gdexp.problems import Function, Problem, Quadratic, Transformed

ROUND, TOGETHER = 20_000, 250
LONGEST = 30
MANY = 4_096
MOST_NUMBERS = 1 << 22
"""In an array of a batch of 4,096 rows; where there would be more, the batch has fewer rows."""

FUNCTIONS = ("step", "absolute", "gaussian", "sawtooth", "polynomial")
PROBLEMS: dict[str, Callable[[], Problem]] = {
    **{name: shipped(name) for name in RATES},
    **{f"function {name}": partial(Function, name, hidden=[5]) for name in FUNCTIONS},
    **{f"activation {n}": partial(small_fit, f, LOSSES["mse"]) for n, f in ACTIVATIONS.items()},
    **{f"loss {n}": partial(small_fit, ACTIVATIONS["tanh"], f) for n, f in LOSSES.items()},
    "rotated": partial(Transformed, Quadratic(30), 7, 0.25),
}

RANGES = {
    "momentum": (0.0, 0.99),
    "dampening": (0.0, 0.9),
    "alpha": (0.0, 0.999),
    "beta1": (0.0, 0.99),
    "beta2": (0.0, 0.9999),
    "weight_decay": (0.0, 0.3),
    "lr_decay": (0.0, 0.1),
    "initial_accumulator_value": (0.0, 1.0),
    "eps": (0.0, 1e-3),
    "shrink": (0.2, 0.9),
    "decrease": (1e-4, 0.09),
    "curvature": (0.1, 0.49),
    "condition": (1.0, 1e4),
    "f_star": (-1.0, 0.0),
    "gap": (0.1, 10.0),
    "path": (0.1, 10.0),
    "shortest": (1e-10, 1e-3),
    "longest": (1e3, 1e10),
    "tolerance": (1e-6, 1e-2),
}
"""Of the hyperparameters beside the learning rate."""

VARIANTS: dict[str, tuple[Any, ...]] = {
    "step": ("long", "short", "alternating"),
    "version": (2020, 2024),
    "formula": ("fletcher_reeves", "polak_ribiere"),
}
"""Hyperparameters that decide what is computed; all descents of a group have the same."""


@dataclass(frozen=True)
class Group:
    """Random descents of one plan.

    Attributes:
        problem: a name in `PROBLEMS`.
        rule: the name of a rule.
        schedule: a name in `SCHEDULES`.
        dtype: float32 or float64.
        rows: how many.
        seed: draws hyperparameters, starts and thresholds.
    """

    problem: str
    rule: str
    schedule: str
    dtype: str
    rows: int
    seed: int


def differing_bits(group: Group) -> dict[str, int]:
    """Return how many bits differ from those of native code for the host, by the other way."""
    random = np.random.default_rng(group.seed)
    lr = RATES.get(group.problem, 0.1)
    first = replace(rules(lr)[group.rule], schedule=SCHEDULES[group.schedule])  # type: ignore[call-arg]
    kinds = {f.name: VARIANTS[f.name] for f in fields(first) if f.name in VARIANTS}
    first = replace(
        first, **{k: values[random.integers(len(values))] for k, values in kinds.items()}
    )
    first = varied(first, random)
    made = Planned(PROBLEMS[group.problem](), first, group.dtype)
    each = [varied(first, random) for _ in range(group.rows)]
    until = [Stopping(10 ** random.uniform(-12, 0), LONGEST) for _ in each]
    noise = random.normal(size=(group.rows, *made.x.shape)) * 2.0 ** random.integers(-8, 3)
    x = (made.x.numpy() + noise).astype(group.dtype)
    known = batch_bits(batch(made, Way("host", 2), each, x, until))
    others: dict[str, list[Bits]] = {
        f"{way.code} batch on {way.device}": batch_bits(batch(made, way, each, x, until))
        for way in (Way("baseline"), Way("interpreted"), *gpus())
    }
    alone = [
        row_alone(made, Way("host"), r, x0, s) for r, x0, s in zip(each, x, until, strict=True)
    ]
    others["host, alone"] = alone
    return {
        name: sum(one.differing(other) for one, other in zip(known, found, strict=True))
        for name, found in others.items()
    }


def gpus() -> tuple[Way, ...]:
    """Return the way of a GPU where one is."""
    return (GPU,) if torch.cuda.is_available() else ()


def varied(rule: UpdateRule, random: np.random.Generator) -> UpdateRule:
    """Return the rule with random hyperparameters; booleans and schedule stay."""
    found: dict[str, Any] = {}
    for each in fields(rule):
        if each.name == "lr":
            found["lr"] = rule.lr * 10 ** random.uniform(-2, 1.2)  # type: ignore[attr-defined]
        elif each.name in RANGES:
            found[each.name] = float(random.uniform(*RANGES[each.name]))
    return replace(rule, **found)


def random_group(random: np.random.Generator, rows: int) -> Group:
    """Return a random group."""

    def one(names: Any) -> str:  # noqa: ANN401
        return str(random.choice(list(names)))

    names = (one(PROBLEMS), one(rules(1.0)), one(SCHEDULES), one(DTYPES))
    return Group(*names, rows, int(random.integers(2**31)))


def differing_ways(name: str) -> dict[str, bool]:
    """Return for each way whether a shipped descent has other digests by it."""
    case, (_, *known) = cases()[name], shipped_digests()[name]
    return {str(way): bits(case, way).digests != known for way in ways(case)}


def ways(case: Case) -> Iterator[Way]:
    """Yield the ways to compute a shipped descent."""
    plan = planned(case).plan
    largest = max(n.size for p in (plan.evaluate, plan.update) for n in p.nodes)
    many = max(1, min(MANY, MOST_NUMBERS // largest))
    for code in ("host", "baseline"):
        for threads in (1, 2):
            for rows in (0, 1, 7, many):
                yield Way(code, threads, rows)
    for way in (Way("interpreted"), *gpus()):
        for rows in (1, 7, max(1, many // 16) if largest > 64 else many):
            yield way._replace(rows=rows)


def run(rounds: int) -> list[Figure]:
    """Return the counts of differing bits and digests."""
    random, totals = np.random.default_rng(17), Counter[str]()
    groups = [random_group(random, TOGETHER) for _ in range(rounds * ROUND // TOGETHER)]
    pairs = [(name, dtype) for name in RATES for dtype in DTYPES]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for counts in pool.map(differing_bits, groups):
            totals.update(counts)
        made = dict(zip(cases(), pool.map(differing_ways, cases()), strict=True))
        losses = max(pool.map(farthest, *zip(*combinations(), strict=True)))
        steps = max(pool.map(first_step, *zip(*pairs, strict=True)))
    wrong = [f"{name}: {way}" for name, found in made.items() for way, is_ in found.items() if is_]
    note = f"{len(made)} descents, {sum(map(len, made.values())):,} times"
    return [
        *(
            figure(
                f"bits of {name} that differ from host, batch",
                [float(count)],
                0.0,
                note=f"{len(groups) * TOGETHER:,} descents",
            )
            for name, count in totals.items()
        ),
        figure(
            "distance from torch's 50 losses, of what is allowed",
            [losses],
            1.0,
            note=f"{len(combinations())} problems, rules and types",
        ),
        figure(
            "distance of first loss and gradient from torch's, in ulp of their terms", [steps], 4.0
        ),
        figure(
            "shipped descents with other digests",
            [float(len(wrong))],
            0.0,
            note="; first ".join([note, *wrong[:1]]),
        ),
    ]
