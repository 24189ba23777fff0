"""Recordings are shared by problems that hold the same values, and by no others."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch

from gdexp import FunctionProblem, GradientDescent, Matrix, Momentum, Problem
from gdexp.descent.portable import choice
from gdexp.engine.fingerprint import fingerprint
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plans import Plans
from gdexp.engine.tensor_digests import SMALL, TensorDigests
from gdexp.optimizers.base import UpdateRule


class Holder:
    """An object with attributes."""

    def __init__(self, **values: object) -> None:
        vars(self).update(values)


def shown(digests: TensorDigests, **values: object) -> object:
    return fingerprint(Holder(**values), digests)[0]


@pytest.mark.parametrize("more", [False, True])
def test_tensors_count_by_what_they_hold(more: bool) -> None:
    digests, count = TensorDigests(), SMALL + 1 if more else 3
    one, other = torch.rand(count), torch.rand(count)
    before = shown(digests, a=one)
    assert shown(digests, a=one.clone()) == before
    for different in (other, one.double(), one[:-1], one.reshape(1, -1), -one):
        assert shown(digests, a=different) != before
    one.mul_(2)
    assert shown(digests, a=one) != before
    assert shown(digests, a=one.div_(2)) == before
    assert shown(digests, b=one) != before


@pytest.mark.slow
def test_digests_of_tensors_that_are_gone_are_forgotten() -> None:
    digests = TensorDigests()
    tensor = torch.rand(SMALL + 1)
    digests.token(tensor)
    assert len(digests._known) == 1
    del tensor
    gc.collect()
    assert not digests._known


def test_signed_zeros_and_nans_are_values_of_their_own() -> None:
    digests = TensorDigests()
    given = [torch.tensor([v]) for v in (0.0, -0.0, float("nan"))]
    assert len({shown(digests, a=each) for each in given}) == 3
    assert shown(digests, a=torch.tensor(0.5)) == shown(digests, a=torch.tensor(0.5))
    assert shown(digests, a=torch.ones(2, dtype=torch.bfloat16)) is not None


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the problems whose loss is recorded from now on."""
    made: list[str] = []
    real = choice._loss

    def counted(problem: Problem, *given: Any) -> Any:
        made.append(problem.name)
        return real(problem, *given)

    monkeypatch.setattr(choice, "_loss", counted)
    return made


def found(problem: Problem, rule: UpdateRule, plans: Plans) -> object:
    x = problem.start(0)
    return choice.find_plan(problem, rule, torch.float32, torch.device("cpu"), x, plans).prepared


def test_equal_problems_share_a_recording_and_rules_share_that_of_the_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, plans = recorded(monkeypatch), Plans()
    first = found(Matrix(), GradientDescent(1.0), plans)
    assert found(Matrix(), GradientDescent(0.1), plans) is first
    assert found(Matrix(), Momentum(0.1), plans) is not first
    assert made == ["matrix"]
    other = Matrix(target=[[1.0, 2.0], [3.0, 4.0]])
    assert found(other, GradientDescent(1.0), plans) is not first
    assert made == ["matrix"] * 2


def test_a_plan_that_was_dropped_is_recorded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made, plans, problem = recorded(monkeypatch), Plans(), Matrix()
    given = torch.float32, torch.device("cpu"), problem.start(0), plans
    kept = choice.find_plan(problem, GradientDescent(), *given)
    plans.drop(kept.key)
    assert choice.find_plan(problem, GradientDescent(), *given).prepared is not kept.prepared
    assert len(made) == 2


def test_a_refusal_of_the_loss_is_one_for_all_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    made, plans = recorded(monkeypatch), Plans()
    problem = FunctionProblem(lambda x: torch.linalg.det(x), shape=(2, 2))
    reasons = []
    for rule in (GradientDescent(), Momentum()):
        with pytest.raises(NotPortable) as error:
            found(problem, rule, plans)
        reasons.append(str(error.value))
    assert len(made) == 1
    assert reasons[0] == reasons[1]


def test_only_so_many_are_kept() -> None:
    plans = Plans(kept=2)
    problems = [Matrix(target=[[float(i), 1.0], [2.0, 3.0]]) for i in range(3)]
    first = [found(each, GradientDescent(), plans) for each in problems]
    assert found(problems[2], GradientDescent(), plans) is first[2]
    assert found(problems[0], GradientDescent(), plans) is not first[0]
