"""What gdexp is measured against: the loop of the notebook that it grew out of."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

TARGET = torch.tensor([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])


def notebook_loop(
    start: torch.Tensor, lr: float, threshold: float, max_iterations: int
) -> tuple[int, float]:
    """The notebook's loop, without its prints; returns iterations and seconds."""
    x = start.clone().requires_grad_()
    k = 0
    began = time.perf_counter()
    loss = F.mse_loss(x, TARGET)
    while loss.item() > threshold and k < max_iterations:
        loss.backward()  # type: ignore[no-untyped-call]
        x = x - lr * x.grad  # type: ignore[operator]
        x = x.detach().requires_grad_()
        loss = F.mse_loss(x, TARGET)
        k += 1
    return k, time.perf_counter() - began


def sgd_loop(
    start: torch.Tensor, lr: float, threshold: float, max_iterations: int
) -> tuple[int, float]:
    """The same with torch.optim.SGD; returns iterations and seconds."""
    x = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([x], lr=lr)
    k = 0
    began = time.perf_counter()
    loss = F.mse_loss(x, TARGET)
    while loss.item() > threshold and k < max_iterations:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss = F.mse_loss(x, TARGET)
        k += 1
    return k, time.perf_counter() - began
