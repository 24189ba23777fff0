"""gdexp's own rules on named tensors equal a hand loop of their written formulas, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.training.updates.hand_loops import (
    loss_of,
    make_batches,
    make_model,
    run_updates,
    same,
)

Formula = Callable[[torch.Tensor, torch.Tensor, dict[str, torch.Tensor], float, int], torch.Tensor]


def gd(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    return x - lr * g


def momentum(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    own["v"] = 0.9 * own["v"] + 1.0 * g if own else g
    return x - lr * own["v"]


def nesterov(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    own["v"] = 0.9 * own["v"] + g if own else g
    return x - lr * (g + 0.9 * own["v"])


def adagrad(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    own["s"] = own.get("s", torch.zeros_like(g)) + g * g
    return x - (lr * g) / (own["s"].sqrt() + 1e-10)


def rmsprop(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    own["s"] = 0.99 * own.get("s", torch.zeros_like(g)) + ((1 - 0.99) * g) * g
    own["b"] = 0.5 * own.get("b", torch.zeros_like(g)) + g / (own["s"].sqrt() + 1e-8)
    return x - lr * own["b"]


def adam(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    zero = torch.zeros_like(g)
    own["m"] = own.get("m", zero) + (1 - 0.9) * (g - own.get("m", zero))
    own["s"] = 0.999 * own.get("s", zero) + ((1 - 0.999) * g) * g
    rate, correction = lr / (1 - 0.9**k), 1 / math.sqrt(1 - 0.999**k)
    return x - (rate * own["m"]) / (own["s"].sqrt() * correction + 1e-8)


def adamw(x: Any, g: Any, own: Any, lr: float, k: int) -> Any:
    return adam((1 - lr * 0.05) * x, g, own, lr, k)


def constant(k: int) -> float:
    return 1.0


def warmup_cosine(k: int) -> float:
    return k / 3 if k < 3 else 0.1 + 0.9 * (1 + math.cos(math.pi * ((k - 3) / 7))) / 2


FORMULAS: dict[str, tuple[Formula, dict[str, Any]]] = {
    "gd": (gd, {"lr": 0.1}),
    "momentum": (momentum, {"lr": 0.1}),
    "nesterov": (nesterov, {"lr": 0.05}),
    "adagrad": (adagrad, {"lr": 0.05}),
    "rmsprop": (rmsprop, {"lr": 0.01, "momentum": 0.5}),
    "adam": (adam, {"lr": 0.01}),
    "adamw": (adamw, {"lr": 0.01, "weight_decay": 0.05}),
}
SCHEDULES: dict[str, tuple[Callable[[int], float], dict[str, Any]]] = {
    "constant": (constant, {"name": "constant"}),
    "warm-up and cosine": (
        warmup_cosine,
        {"name": "warmup_cosine", "steps": 10, "warmup": 3, "floor": 0.1},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", FORMULAS)
def test_a_rule_is_its_formula_on_each_tensor(name: str, schedule: str) -> None:
    formula, keys = FORMULAS[name]
    share, group = SCHEDULES[schedule]
    batches, model = make_batches(9), make_model()
    states: dict[str, dict[str, torch.Tensor]] = {n: {} for n, _ in model.named_parameters()}
    expected = []
    for k, (batch,) in enumerate(batches, 1):
        loss = loss_of(model, batch)
        expected.append(loss.item())
        weights = dict(model.named_parameters())
        gradients = torch.autograd.grad(loss, list(weights.values()))
        lr = keys["lr"] * share(k)
        for (n, x), g in zip(weights.items(), gradients, strict=True):
            x.data = formula(x.data, g, states[n], lr, k)
    losses, own, updates = run_updates({"name": name, "schedule": group, **keys}, batches)
    assert losses == expected
    assert same(own.state_dict(), model.state_dict())
    for (n, p), position in zip(own.named_parameters(), range(6), strict=False):
        kept = updates.optimizer.state[p]["state"]
        assert len(kept) == len(states[n]), position
        assert all(any(same(a, b) for b in states[n].values()) for a in kept)


def test_groups_and_one_cycle_act_on_a_rule_of_gdexp() -> None:
    schedule = {
        "name": "torch",
        "class_name": "OneCycleLR",
        "options": {"max_lr": 0.3, "total_steps": 9},
    }
    group = {"name": "momentum", "lr": 0.1, "groups": [{"match": "*.bias", "momentum": 0.5}]}
    _, _, updates = run_updates(group | {"schedule": schedule}, make_batches(4))
    parameter = torch.zeros(1, requires_grad=True)
    theirs = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    cycle = torch.optim.lr_scheduler.OneCycleLR(theirs, 0.3, total_steps=9)
    for _ in range(4):
        theirs.step()
        cycle.step()
    for own in updates.optimizer.param_groups:
        assert own["lr"] == theirs.param_groups[0]["lr"]
        assert own["momentum"] == theirs.param_groups[0]["momentum"]


def test_a_rate_may_be_zero_and_ends_there() -> None:
    group = {"name": "adam", "lr": 0.01}
    schedule = {"name": "warmup_cosine", "steps": 4, "warmup": 2, "floor": 0.0}
    rates = []
    _, model, updates = run_updates(group | {"schedule": schedule}, make_batches(3))
    before = [each.detach().clone() for each in model.parameters()]
    rates.append(updates.lr)
    updates.gradients([lambda: loss_of(model, make_batches(1)[0][0])])
    assert updates.apply()
    assert rates == [0.0]
    assert all(map(torch.equal, before, model.parameters()))
