"""Schedules: closed forms, torch's where it has one, and the two that are exact on quadratics."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from gdexp import GradientDescent, Problem, Stopping, descend
from gdexp.core.errors import BadInput
from gdexp.optimizers.schedule_registry import SCHEDULES, build_schedule
from gdexp.optimizers.schedules import (
    Chebyshev,
    Constant,
    Cosine,
    InverseEigenvalue,
    InverseTime,
    Schedule,
    StepDecay,
    Warmup,
    portable_order,
    stable_order,
)
from tests.support import names


class Quadratic(Problem):
    f_star = 0.0

    def __init__(self, eigenvalues: list[float]) -> None:
        super().__init__([1.0] * len(eigenvalues))
        self.eigenvalues = torch.tensor(eigenvalues, dtype=torch.float64)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        return (self.eigenvalues * x * x).sum() / 2


def spectrum(mu: float, largest: float, count: int = 40) -> list[float]:
    return np.linspace(mu, largest, count).tolist()


@pytest.mark.parametrize(
    ("schedule", "iteration", "expected"),
    [
        (Constant(), 7, 2.0),
        (InverseTime(0.5), 1, 2 / 1.5),
        (InverseTime(0.5), 6, 2 / 4),
        (Cosine(steps=4, floor=0.0), 1, 2.0),
        (Cosine(steps=4, floor=0.0), 3, 1.0),
        (Cosine(steps=4, floor=0.25), 5, 0.5),
        (Cosine(steps=4, floor=0.25), 500, 0.5),
        (StepDecay(every=3, factor=0.5), 3, 2.0),
        (StepDecay(every=3, factor=0.5), 4, 1.0),
        (StepDecay(every=3, factor=0.5), 7, 0.5),
        (Warmup(steps=4), 1, 0.5),
        (Warmup(steps=4), 4, 2.0),
        (Warmup(steps=4), 400, 2.0),
        (Chebyshev(mu=3.0, L=3.0, steps=2), 1, 1 / 3),
        (InverseEigenvalue([4.0]), 9, 0.25),
    ],
    ids=str,
)
def test_a_rate_is_the_closed_form(schedule: Schedule, iteration: int, expected: float) -> None:
    assert schedule.rate(2.0, iteration) == pytest.approx(expected, rel=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [Cosine(25, 0.1), StepDecay(7, 0.3)], ids=str)
def test_cosine_and_step_are_torchs_schedules(schedule: Schedule) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    theirs: torch.optim.lr_scheduler.LRScheduler
    if isinstance(schedule, Cosine):
        theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 25, eta_min=0.2)
    else:
        theirs = torch.optim.lr_scheduler.StepLR(optimizer, 7, gamma=0.3)
    for k in range(1, 27):
        assert schedule.rate(2.0, k) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("schedule", "first"),
    [
        (Constant(), 1),
        (InverseTime(0.0), 1),
        (InverseTime(0.1), None),
        (Cosine(steps=4, floor=0.25), 5),
        (Cosine(steps=4, floor=1.0), 1),
        (StepDecay(every=3, factor=1.0), 1),
        (StepDecay(every=3, factor=0.5), 3 * 1075 + 1),
        (Warmup(steps=4), 4),
        (Warmup(steps=1), 1),
        (Chebyshev(mu=0.1, L=1.0, steps=3), None),
        (Chebyshev(mu=0.1, L=1.0, steps=1), 1),
        (InverseEigenvalue([1.0, 2.0]), None),
        (InverseEigenvalue([2.0, 2.0]), 1),
    ],
    ids=str,
)
def test_a_schedule_is_settled_from_where_its_rate_stays_the_same(
    schedule: Schedule, first: int | None
) -> None:
    settled = [schedule.constant_from(k) for k in range(1, 4000)]
    assert settled == [first is not None and k >= first for k in range(1, 4000)]
    assert schedule.constant is (first == 1)
    if first is not None:
        assert len({schedule.rate(2.0, k) for k in range(first, 4000)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kappa", [2.0, 100.0, 1e4])
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 16, 38, 100])
def test_chebyshev_rates_shrink_every_error_to_the_chebyshev_bound(
    kappa: float, steps: int
) -> None:
    schedule = Chebyshev(mu=1.0, L=kappa, steps=steps)
    problem = Quadratic([*spectrum(1.0, kappa), *np.geomspace(1.0, kappa, 40).tolist()])
    result = descend(
        problem,
        GradientDescent(schedule=schedule),
        Stopping(threshold=1e-300, max_iterations=steps),
        dtype="float64",
    )
    errors = result.final.abs()
    expected = 1 / math.cosh(steps * math.acosh((kappa + 1) / (kappa - 1)))
    assert schedule.bound == pytest.approx(expected, rel=1e-12)
    # The ends of the spectrum are extrema of the polynomial: the bound is reached, not undercut.
    assert float(errors.max()) == pytest.approx(expected, rel=1e-9, abs=1e-13)


def test_chebyshev_needs_38_iterations_at_condition_100_for_a_loss_of_a_millionth() -> None:
    assert Chebyshev(mu=0.01, L=1.0, steps=38).bound ** 2 <= 1e-6
    assert Chebyshev(mu=0.01, L=1.0, steps=37).bound ** 2 > 1e-6
    problem = Quadratic(spectrum(0.01, 1.0))
    start = sum(spectrum(0.01, 1.0)) / 2
    rule = GradientDescent(schedule=Chebyshev(mu=0.01, L=1.0, steps=38))
    result = descend(problem, rule, Stopping(threshold=1e-6 * start), dtype="float64")
    assert result.converged
    assert result.iterations <= 38


def test_a_thousand_chebyshev_steps_are_stable_in_the_order_taken() -> None:
    schedule = Chebyshev(mu=1e-4, L=1.0, steps=1000)
    points = np.geomspace(1e-4, 1.0, 500)
    factors = np.array([1 - schedule.rate(0.0, k) * points for k in range(1, 1001)])
    growth = np.abs(np.cumprod(factors, axis=0)).max()
    rounding = np.abs(np.cumprod(factors[::-1], axis=0)).max()
    assert growth < 1e4
    assert rounding < 1e4


@pytest.mark.slow
@pytest.mark.parametrize(
    "eigenvalues", [[1.0, 3.0, 10.0, 30.0, 100.0], [5.0], [2.0, 2.0, 7.0], spectrum(1.0, 9.0, 9)]
)
def test_inverse_eigenvalues_converge_in_as_many_iterations_as_distinct_eigenvalues(
    eigenvalues: list[float],
) -> None:
    rule = GradientDescent(schedule=InverseEigenvalue(eigenvalues))
    result = descend(Quadratic(eigenvalues), rule, Stopping(threshold=1e-18), dtype="float64")
    assert result.converged
    assert result.iterations == len(set(eigenvalues))


def test_a_cycle_starts_again_and_ignores_lr() -> None:
    schedule = InverseEigenvalue([1.0, 2.0, 4.0])
    rates = [schedule.rate(123.0, k) for k in range(1, 7)]
    assert rates[:3] == rates[3:]
    assert sorted(rates[:3]) == [0.25, 0.5, 1.0]


def test_the_stable_order_keeps_every_point_once_and_ignores_the_order_given() -> None:
    points = np.random.default_rng(0).uniform(0.1, 5, 60).tolist()
    ordered = stable_order(points)
    assert sorted(ordered) == sorted(points)
    assert stable_order(points[::-1]) == ordered
    assert ordered[:2] == [max(points), min(points)]
    assert stable_order([2.0, 2.0, 2.0]) == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("name", names.SCHEDULES)
def test_rates_of_many_learning_rates_are_each_ones_own_bit_for_bit(name: str) -> None:
    schedule = SCHEDULES[name]()
    lrs = np.random.default_rng(1).uniform(0, 3, 50)
    for k in range(1, 150):
        together: Any = schedule.rate(lrs, k)  # type: ignore[arg-type]
        apart = [schedule.rate(lr, k) for lr in lrs.tolist()]
        assert np.broadcast_to(together, 50).tolist() == apart


@pytest.mark.parametrize("name", names.SCHEDULES)
def test_a_schedule_is_built_from_its_name_and_keys(name: str) -> None:
    cls = SCHEDULES[name]
    keys = {each.name: getattr(cls(), each.name) for each in dataclasses.fields(cls)}
    assert build_schedule({"name": name, **keys}) == cls()
    hash(cls())


@pytest.mark.parametrize("steps", [1, 2, 7, 32, 33, 100])
def test_the_portable_order_is_the_order(steps: int) -> None:
    cycle = Chebyshev(0.001, 3.0, steps)
    portable = cycle._portable_rates
    assert np.allclose(portable, cycle.rates, rtol=1e-14, atol=0)
    assert sorted(1 / portable, reverse=True)[0] == 1 / portable[0]
    random = np.random.default_rng(steps)
    points = np.exp(random.normal(size=steps) * 20).tolist()
    for some in (points, [1.0, 1.0, 2.0], [1e-300, 1e300, 1.0]):
        assert portable_order(some) == stable_order(some)
    cycles = InverseEigenvalue(points)
    assert cycles._portable_rates.tolist() == list(cycles.rates)


BAD: list[tuple[dict[str, object], str]] = [
    ({"name": "cosin"}, "schedule.name=cosin: did you mean cosine?"),
    ({"steps": 3}, "schedule.name=null: "),
    ({"name": "cosine", "stepz": 3}, "schedule.stepz=3: unknown key; did you mean steps?"),
    ({"name": "cosine", "steps": 0}, "schedule.steps=0: must be an integer from 1"),
    ({"name": "cosine", "floor": 1.5}, "schedule.floor=1.5: must be from 0 to 1"),
    ({"name": "inverse_time", "decay": -1}, "schedule.decay=-1: must be >= 0"),
    ({"name": "step", "every": 2.5}, "schedule.every=2.5: must be an integer"),
    ({"name": "step", "factor": 1.1}, "schedule.factor=1.1: must be above 0 and at most 1"),
    ({"name": "warmup", "steps": True}, "schedule.steps=true: must be an integer"),
    ({"name": "chebyshev", "mu": 2.0, "L": 1.0}, "schedule.L=1.0: must be at least mu=2"),
    ({"name": "chebyshev", "steps": 10_001}, "schedule.steps=10001: must be an integer from 1"),
    ({"name": "inverse_eigenvalue", "eigenvalues": []}, "schedule.eigenvalues=[]: must be a list"),
    ({"name": "inverse_eigenvalue", "eigenvalues": "1"}, "schedule.eigenvalues=1: must be a list"),
    ({"name": "inverse_eigenvalue", "eigenvalues": [0.0]}, "schedule.eigenvalues=0.0: must be > 0"),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_a_schedule_that_cannot_be_is_refused_in_one_line(
    given: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput) as caught:
        build_schedule(given)
    assert str(caught.value).startswith(message)
