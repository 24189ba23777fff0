"""Coefficients of a block are those of its iterations, whatever the block."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gdexp.descent.batch.hyperparameters import Hyperparameters
from gdexp.descent.portable.numbers import Numbers
from gdexp.optimizers.adaptive import Adagrad, Adam, AdamW, RMSprop
from gdexp.optimizers.base import UpdateRule
from gdexp.optimizers.momentum import GradientDescent
from gdexp.optimizers.schedules import (
    Chebyshev,
    Cosine,
    InverseEigenvalue,
    InverseTime,
    StepDecay,
    Warmup,
)
from gdexp.optimizers.silver import Silver

RULES: list[UpdateRule] = [
    GradientDescent(0.3, schedule=Cosine(17, 0.1)),
    GradientDescent(0.3, schedule=StepDecay(5, 0.7)),
    GradientDescent(0.3, schedule=Warmup(9)),
    GradientDescent(0.3, schedule=InverseTime(0.3)),
    GradientDescent(0.3, schedule=Chebyshev(0.1, 1.0, 7)),
    GradientDescent(0.3, schedule=InverseEigenvalue([1.0, 2.0, 0.5])),
    GradientDescent(0.3, schedule=Silver()),
    Adagrad(0.2, lr_decay=0.1),
    RMSprop(0.1, schedule=Cosine(17)),
    Adam(0.1, beta1=0.5, beta2=0.6),
    AdamW(0.1, beta1=0.9, beta2=0.3, schedule=Warmup(30)),
]


def numbers(rules: list[UpdateRule]) -> Numbers:
    return Numbers(Hyperparameters(rules, np.arange(len(rules))), "float64")


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_blocks_agree_with_each_other_and_nearly_with_python(rule: UpdateRule) -> None:
    assert rule.takes_blocks
    whole = numbers([rule]).table(1, 40)
    for k in range(1, 41):
        told = [each for each in rule.coefficients(k) if not isinstance(each, bool)]
        np.testing.assert_allclose(whole[0, k - 1], told, rtol=1e-13)
        assert numbers([rule]).table(k, k)[0, 0].tobytes() == whole[0, k - 1].tobytes()


def test_rules_together_have_the_numbers_they_have_alone() -> None:
    rules: list[UpdateRule] = [Adam(0.1 * i, beta1=0.1 * i, beta2=0.9) for i in range(1, 6)]
    table = numbers(rules).table(3, 30)
    for i, rule in enumerate(rules):
        assert table[i].tobytes() == numbers([rule]).table(3, 30)[0].tobytes()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_constant_coefficients_are_found_at_their_first_iteration(rule: UpdateRule) -> None:
    first = next((k for k in range(1, 200) if rule.constant_from(k)), None)
    for last in ([200], [3, 50, 200], [1, 2, 4, 8, 16, 32, 64, 128, 200]):
        asked = numbers([rule])
        found = [int(asked.constant_since(each)[0]) for each in last][-1]
        assert found == (first if first is not None else 2**62) or (found == 0 and first == 1)


def test_a_rule_of_the_users_own_is_asked_iteration_by_iteration() -> None:
    asked: list[Any] = []

    class Own(GradientDescent):
        def coefficients(self, iteration: int) -> tuple[Any, ...]:
            asked.append(iteration)
            return (math.exp(-iteration),)

        def constant_from(self, iteration: int) -> bool:
            return False

    table = numbers([Own(1.0)]).table(2, 4)
    assert asked == [2, 3, 4]
    assert table[0, :, 0].tolist() == [math.exp(-2), math.exp(-3), math.exp(-4)]
