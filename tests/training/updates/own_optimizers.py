"""Optimizers, an update rule and a schedule of the user's own, named by their import paths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from gdexp import Constant, Schedule, UpdateRule
from gdexp.core import validation


def not_an_optimizer() -> None:
    pass


class MuonLike(torch.optim.Optimizer):
    """Momentum whose matrices are orthogonalised: right for each tensor in its shape alone."""

    def __init__(self, params: Any, lr: float = 0.02, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["velocity"] = torch.zeros_like(p)
                state["velocity"].mul_(group["momentum"]).add_(p.grad)
                step = state["velocity"]
                if p.ndim == 2:
                    step = step / (step.norm() + 1e-7)
                    for _ in range(3):
                        step = 1.5 * step - 0.5 * step @ step.T @ step
                p.add_(step, alpha=-group["lr"])


class AdafactorLike(torch.optim.Optimizer):
    """Second moments of rows and columns; state in float64, bfloat16 and integers."""

    def __init__(self, params: Any, lr: float = 0.01, decay: float = 0.8) -> None:
        super().__init__(params, {"lr": lr, "decay": decay})
        self.steps = 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.steps += 1
        for group in self.param_groups:
            for p in group["params"]:
                g, state = p.grad.double(), self.state[p]
                if not state:
                    state["count"] = torch.zeros((), dtype=torch.int64)
                    state["last"] = torch.zeros_like(p, dtype=torch.bfloat16)
                    state["row"] = torch.zeros(p.shape[:1], dtype=torch.float64)
                    state["column"] = torch.zeros(p.shape[-1:], dtype=torch.float64)
                state["count"] += 1
                keep = 1 - float(state["count"]) ** -group["decay"]
                square = g * g + 1e-30
                state["row"].lerp_(square.flatten(1).mean(1) if p.ndim > 1 else square, 1 - keep)
                state["column"].lerp_(square.mean(0) if p.ndim > 1 else square, 1 - keep)
                scale = state["row"]
                if p.ndim > 1:
                    scale = torch.outer(state["row"], state["column"]) / state["row"].mean()
                step = g / scale.sqrt() / self.steps**0.1 + 0.01 * state["last"]
                state["last"].copy_(step)
                p.add_(step.to(p.dtype), alpha=-group["lr"])


class Switching(torch.optim.Optimizer):
    """SGD that evaluates at an average, as schedule-free methods do."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "training": False})

    def _move(self, training: bool, share: float) -> None:
        for group in self.param_groups:
            if group["training"] is not training:
                for p in group["params"]:
                    if "z" in self.state[p]:
                        p.data.lerp_(self.state[p]["z"], share)
                group["training"] = training

    def train(self) -> None:
        self._move(True, 1 - 1 / 0.9)

    def eval(self) -> None:
        self._move(False, 0.1)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            assert group["training"], "not in train mode"
            for p in group["params"]:
                z = self.state[p].setdefault("z", p.clone())
                z.sub_(group["lr"] * p.grad)
                p.lerp_(z, 0.3)


@dataclass(frozen=True)
class Lion(UpdateRule):
    """A rule of the user's own."""

    name = "lion"
    lr: float = 0.01
    beta: float = 0.9
    schedule: Schedule = field(default=Constant(), kw_only=True)

    def __post_init__(self) -> None:
        self._check(lr=validation.positive, beta=validation.fraction)

    def coefficients(self, iteration: int) -> tuple[Any, ...]:
        return (self.schedule.rate(self.lr, iteration), self.beta)

    @staticmethod
    def update(x: Any, gradient: Any, state: Any, *coefficients: Any) -> Any:
        lr, beta = coefficients
        mean = beta * state[0] + (1 - beta) * gradient if state else gradient
        return x - lr * mean.sign(), (mean,)


@dataclass(frozen=True)
class Halved(Schedule):
    """A schedule of the user's own."""

    name = "halved"

    def rate(self, lr: float, iteration: int) -> float:
        return lr / 2 ** (iteration - 1)

    def constant_from(self, iteration: int) -> bool:
        return False
