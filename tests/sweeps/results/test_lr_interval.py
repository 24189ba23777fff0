"""The interval of learning rates that share a count, against closed forms and real descents."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp import (
    Adam,
    BadInput,
    Chebyshev,
    FunctionProblem,
    GradientDescent,
    Himmelblau,
    Matrix,
    Momentum,
    Problem,
    Quadratic,
    Rosenbrock,
    Stopping,
    TorchOptimizer,
    UpdateRule,
    descend,
    exact_count,
)
from gdexp.descent.loop import starting_point
from gdexp.experiment.experiment import Experiment
from gdexp.sweeps.results.lr_interval import Interval, find_interval

pytestmark = pytest.mark.slow

NOTEBOOK = [[0.0515, 0.9451, 0.0815], [0.7376, 0.7345, 0.3697], [0.9189, 0.5949, 0.6095]]
PRECISION = 1.3e-4
"""What four digits come to, with what rounding the probes to decimals adds."""


def experiment(
    problem: Problem,
    rule: UpdateRule,
    threshold: float = 1e-5,
    seed: int = 0,
    dtype: torch.dtype | None = None,
    **stopping: Any,
) -> Experiment:
    rules = Stopping(threshold, **stopping)
    return Experiment(
        problem, rule, rules, seed, dtype or torch.float64, torch.device("cpu"), {"problem": {}}
    )


def with_lr(of: Experiment, lr: float) -> Experiment:
    rule: Any = of.rule
    return replace(of, rule=replace(rule, lr=lr))


def count(of: Experiment, lr: float | None = None) -> int | None:
    """The count of a real descent, with another learning rate if given."""
    chosen = of if lr is None else with_lr(of, lr)
    result = chosen.run()
    return result.iterations if result.converged else None


def found(*experiments: Experiment, **options: Any) -> Interval:
    """The interval of experiments that converge."""
    counts = [count(each) for each in experiments]
    assert None not in counts
    interval = find_interval(experiments, [n for n in counts if n is not None], **options)
    assert interval is not None
    return interval


@pytest.mark.parametrize("threshold", [1e-2, 1e-5, 1e-8, 1e-14])
@pytest.mark.parametrize("lr", [0.05, 1.0, 3.7, 4.5, 4.6, 8.3])
def test_matrix_has_the_interval_of_the_formula(threshold: float, lr: float) -> None:
    """n = ceil(ln(τ/L0) / (2 ln r)) with r = |1 − 2η/9|, solved for η on the branch of lr."""
    asked = experiment(Matrix(x0=NOTEBOOK), GradientDescent(lr), threshold)
    n = count(asked)
    assert n is not None
    share = threshold / float(asked.run().trace[0])
    slowest = share ** (1 / (2 * n))
    fastest = share ** (1 / (2 * (n - 1))) if n > 1 else -slowest
    ends = sorted(4.5 * (1 - math.copysign(r, 4.5 - lr)) for r in (slowest, fastest))
    if n == 1:  # both branches, through the learning rate that needs one step
        ends = [4.5 * (1 - slowest), 4.5 * (1 + slowest)]

    interval = found(asked)
    assert interval.low_known
    assert interval.high_known
    # Inside: what was found shares the count. The rounding of the descent is far below 1e-9.
    assert ends[0] * (1 - 1e-9) <= interval.low <= ends[0] * (1 + PRECISION)
    assert ends[1] * (1 - PRECISION) <= interval.high <= ends[1] * (1 + 1e-9)


@settings(max_examples=25)
@given(
    mu=st.floats(0.05, 0.9),
    share=st.floats(0.05, 0.99),
    threshold=st.sampled_from([1e-2, 1e-5, 1e-8]),
    momentum=st.sampled_from([0.0, 0.5]),
)
def test_quadratic_has_the_interval_of_theory(
    mu: float, share: float, threshold: float, momentum: float
) -> None:
    problem = Quadratic(dimension=4, mu=mu)
    rule: UpdateRule = GradientDescent(2 * share)
    if momentum:
        rule = Momentum(2 * share, momentum)
    asked = experiment(problem, rule, threshold)
    interval = found(asked)
    start = starting_point(problem, 0)

    def exact(lr: float) -> int | None:
        return exact_count(problem, with_lr(asked, lr).rule, asked.stopping, start)

    n = exact(2 * share)
    assert exact(interval.low) == exact(interval.high) == n
    # gd's count falls and then rises with lr, so that nothing is hidden between two probes.
    if momentum == 0 and interval.high / interval.low > 1.01:
        assert exact(interval.low * (1 - PRECISION)) != n
        assert exact(interval.high * (1 + PRECISION)) != n
        assert exact(math.sqrt(interval.low * interval.high)) == n


@pytest.mark.parametrize(
    ("problem", "rule", "highest"),
    [
        (Matrix(), GradientDescent(), 8.9),
        (Matrix(), Adam(), 1.0),
        (Himmelblau(), GradientDescent(), 0.02),
        (Himmelblau(), Momentum(), 0.005),
        (Matrix(), TorchOptimizer("SGD"), 8.9),
    ],
    ids=lambda part: getattr(part, "name", part),
)
@settings(max_examples=8)
@given(share=st.floats(0.3, 1), dtype=st.sampled_from(["float32", "float64"]))
def test_both_ends_share_the_count_and_fewer_is_fewer(
    problem: Problem, rule: UpdateRule, highest: float, share: float, dtype: str
) -> None:
    asked = with_lr(experiment(problem, rule, 1e-4, dtype=getattr(torch, dtype)), highest * share)
    n = count(asked)
    if n is None:
        return
    interval = found(asked)
    assert interval.low <= highest * share <= interval.high
    assert count(asked, interval.low) == count(asked, interval.high) == n
    if interval.fewer is not None:
        fewer = count(asked, interval.fewer)
        assert fewer is not None
        assert fewer < n


def test_one_at_a_time_finds_what_a_batch_finds() -> None:
    together = found(experiment(Matrix(), GradientDescent(0.7)))
    alone = found(experiment(Matrix(), TorchOptimizer("SGD", 0.7)))
    assert alone.low == pytest.approx(together.low, rel=PRECISION)
    assert alone.high == pytest.approx(together.high, rel=PRECISION)
    assert (alone.low_known, alone.high_known) == (True, True)
    assert alone.steps < together.steps


def test_several_seeds_share_where_each_of_them_does() -> None:
    seeds = [experiment(Matrix(), GradientDescent(1.0), seed=seed) for seed in (0, 1, 2)]
    together = found(*seeds)
    each = [found(seed) for seed in seeds]
    assert together.low == pytest.approx(max(one.low for one in each), rel=PRECISION)
    assert together.high == pytest.approx(min(one.high for one in each), rel=PRECISION)
    for seed in seeds:
        assert count(seed) == count(seed, together.low) == count(seed, together.high)
    rule = TorchOptimizer("SGD", 1.0)
    alone = found(*(replace(seed, rule=rule) for seed in seeds))
    assert alone.low == pytest.approx(together.low, rel=PRECISION)
    assert alone.high == pytest.approx(together.high, rel=PRECISION)


def test_a_seed_that_starts_within_the_threshold_limits_nothing() -> None:
    start = torch.arange(1, 10).reshape(3, 3) / 10
    near = experiment(Matrix(x0=start), GradientDescent(1.0))
    far = experiment(Matrix(), GradientDescent(1.0))
    assert count(near) == 0
    assert find_interval([near], [0]) is None
    assert find_interval([near, far], [0, count(far) or 0]) == found(far)


def test_a_learning_rate_that_plays_no_part_has_no_ends() -> None:
    schedule = Chebyshev(mu=0.1, L=0.5, steps=4)
    interval = found(experiment(Matrix(), GradientDescent(1.0, schedule=schedule)))
    assert (interval.low_known, interval.high_known, interval.fewer) == (False, False, None)
    assert interval.low < 1e-11
    assert interval.high > 1e11


def test_the_budget_bounds_the_search() -> None:
    asked = experiment(Matrix(), TorchOptimizer("SGD", 0.7))
    n = count(asked)
    assert n is not None
    assert find_interval([asked], [n], budget=0) is None
    few = found(asked, budget=5 * n)
    assert 0 < few.steps <= 5 * n
    assert not (few.low_known and few.high_known)
    assert count(asked, few.low) == count(asked, few.high) == n


def test_more_digits_bring_the_ends_nearer() -> None:
    asked = experiment(Matrix(x0=NOTEBOOK), GradientDescent(1.0))
    n = count(asked)
    for digits in (1, 3, 6):
        interval = found(asked, digits=digits)
        assert interval.low_known
        assert interval.high_known
        for outside in (
            interval.low * (1 - 1.3 * 10**-digits),
            interval.high * (1 + 1.3 * 10**-digits),
        ):
            assert count(asked, outside) != n
        assert len(f"{interval.high:.15g}") <= digits + 4


def test_the_limits_of_the_trial_do_not_matter() -> None:
    free = experiment(Matrix(), GradientDescent(1.0))
    n = count(free)
    assert n is not None
    limited = experiment(Matrix(), GradientDescent(1.0), max_iterations=n, cap=n)
    assert found(limited) == found(free)


def test_a_valley_has_an_interval_however_narrow() -> None:
    asked = experiment(Rosenbrock(), GradientDescent(0.0015), 1e-3)
    interval = found(asked)
    assert interval.low <= 0.0015 <= interval.high
    assert interval.high / interval.low - 1 < 1e-2
    assert count(asked, interval.low) == count(asked, interval.high) == count(asked)


def test_what_cannot_be_asked_is_refused() -> None:
    asked = experiment(Matrix(), GradientDescent(1.0))
    with pytest.raises(BadInput, match="must be 1 counts"):
        find_interval([asked], [3, 4])
    with pytest.raises(BadInput, match="digits"):
        find_interval([asked], [3], digits=0)


def test_a_rule_without_a_learning_rate_has_no_interval() -> None:
    class Halving(UpdateRule):
        name = "halving"
        schedule = GradientDescent().schedule

        def coefficients(self, iteration: int) -> tuple[Any, ...]:
            return ()

        @staticmethod
        def update(
            x: torch.Tensor, gradient: torch.Tensor, state: Any, *coefficients: Any
        ) -> tuple[torch.Tensor, Any]:
            return x / 2, state

    problem = FunctionProblem(lambda x: (x * x).sum(), x0=torch.ones(2))
    asked = experiment(problem, Halving())
    result = descend(problem, asked.rule, asked.stopping)
    assert find_interval([asked], [result.iterations]) is None
