"""Schedulers of torch, as schedules of any descent; warm-up with cosine."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from gdexp import GradientDescent, Matrix, Stopping, WarmupCosine, descend
from gdexp.core.errors import BadInput
from gdexp.optimizers.torch_schedules import TorchSchedule


def rates(schedule: Any, lr: float, count: int) -> list[float]:
    return [schedule.rate(lr, k) for k in range(1, count + 1)]


SCHEDULERS: dict[str, tuple[TorchSchedule, Any]] = {
    "OneCycleLR": (
        TorchSchedule("OneCycleLR", {"total_steps": 20}),
        lambda o: lr_scheduler.OneCycleLR(o, 0.3, total_steps=20),
    ),
    "ChainedScheduler": (
        TorchSchedule(
            "ChainedScheduler",
            {
                "schedulers": [
                    {"class_name": "LinearLR", "options": {"total_iters": 5}},
                    {"class_name": "ExponentialLR", "options": {"gamma": 0.9}},
                ]
            },
        ),
        lambda o: lr_scheduler.ChainedScheduler(
            [lr_scheduler.LinearLR(o, total_iters=5), lr_scheduler.ExponentialLR(o, 0.9)]
        ),
    ),
    "CosineAnnealingLR": (
        TorchSchedule("CosineAnnealingLR", {"T_max": 7}),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 7),
    ),
    "CyclicLR": (
        TorchSchedule("CyclicLR", {"base_lr": 0.1, "max_lr": 0.3, "step_size_up": 4}),
        lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.3, step_size_up=4),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_rates_are_those_of_torch(name: str) -> None:
    own, make = SCHEDULERS[name]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3, momentum=0.5)
    scheduler = make(optimizer)
    expected = []
    for _ in range(15):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates(own, 0.3, 15) == expected
    assert own.rate(0.3, 2) == expected[1]  # in any order


def test_a_function_is_named_by_its_path() -> None:
    own = TorchSchedule("LambdaLR", {"lr_lambda": "tests.optimizers.test_torch_schedules.inverse"})
    assert rates(own, 1.0, 3) == [1.0, 0.5, 1 / 3]


def inverse(step: int) -> float:
    return 1 / (step + 1)


def test_a_descent_takes_the_rates_of_torch() -> None:
    own, _ = SCHEDULERS["CosineAnnealingLR"]
    problem = Matrix()
    x = problem.start(0).float()
    rule = GradientDescent(0.3, schedule=own)
    result = descend(problem, rule, Stopping(threshold=1e-30, max_iterations=7))
    for rate in rates(own, 0.3, 7):
        x = x - rate * (2 * (x - problem.target.float()) / 9)
    assert torch.allclose(result.final, x, atol=1e-6)


def test_warm_up_and_cosine_reach_the_full_rate_and_end_at_the_floor() -> None:
    own = rates(WarmupCosine(steps=50, warmup=5, floor=0.01), 2.0, 60)
    assert own[:5] == [2.0 * (k / 5) for k in range(1, 6)]
    assert own[49:] == [0.02] * 11
    assert all(a > b for a, b in pairwise(own[4:50]))
    assert WarmupCosine(steps=9, warmup=0).rate(1.0, 1) == 1.0
    with pytest.raises(BadInput, match=r"steps=10: must be above warmup=10"):
        WarmupCosine(steps=10)


def test_epochs_and_metrics_are_for_trainings() -> None:
    with pytest.raises(BadInput, match="only trainings have epochs"):
        TorchSchedule("StepLR", {"step_size": 1}, interval="epoch").rate(1.0, 1)
    with pytest.raises(BadInput, match="only trainings have epochs"):
        TorchSchedule("ReduceLROnPlateau").rate(1.0, 1)
