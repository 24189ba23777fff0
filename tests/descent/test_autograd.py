"""The short way into the autograd engine gives what the public one gives."""

from __future__ import annotations

import types
from collections.abc import Iterator

import pytest
import torch

import gdexp
from gdexp.descent import autograd
from gdexp.descent.autograd import gradient_like


@pytest.fixture
def fresh() -> Iterator[None]:
    autograd._engine.cache_clear()
    yield
    autograd._engine.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_the_gradient_is_torchs_bit_for_bit(dtype: torch.dtype) -> None:
    for problem in (gdexp.Matrix(), gdexp.Autograd(), gdexp.Function(hidden=(6,), points=32)):
        x = problem.start(0).to(dtype).clone().requires_grad_()
        moved = problem.to(dtype, torch.device("cpu"))
        ours = gradient_like(moved.loss(x))(moved.loss(x), x)
        (theirs,) = torch.autograd.grad(moved.loss(x), (x,))
        assert torch.equal(ours.view(torch.uint8), theirs.view(torch.uint8))
        assert not ours.requires_grad
        assert x.grad is None


def test_rows_of_a_batch_get_the_gradient_of_their_sum() -> None:
    x = torch.rand(5, 3, 3, requires_grad=True)
    problem = gdexp.Matrix().to(torch.float32, torch.device("cpu"))
    ours = gradient_like(problem.loss(x))(problem.loss(x), x)
    (theirs,) = torch.autograd.grad(problem.loss(x).sum(), (x,))
    assert torch.equal(ours, theirs)


def test_the_graph_is_freed_as_by_torch() -> None:
    x = torch.ones(2, requires_grad=True)
    loss = (x * x).sum()
    differentiate = gradient_like(loss)
    differentiate(loss, x)
    with pytest.raises(RuntimeError, match="second time"):
        differentiate(loss, x)


def test_a_loss_that_leaves_x_out_is_an_error_as_in_torch() -> None:
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        gradient_like((y * y).sum())((y * y).sum(), x)


def missing() -> object:
    return types.SimpleNamespace()


def another_signature() -> object:
    def run_backward(tensors: object) -> None:
        raise AssertionError("never reached")

    return types.SimpleNamespace(run_backward=run_backward)


def another_answer() -> object:
    return types.SimpleNamespace(run_backward=lambda *_, **__: None)


@pytest.mark.parametrize("engine", [missing, another_signature, another_answer])
@pytest.mark.usefixtures("fresh")
def test_another_engine_leaves_the_public_way(
    engine: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = gdexp.descend(gdexp.Matrix()).trace.tobytes()
    autograd._engine.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(torch.autograd.Variable, "_execution_engine", engine())  # type: ignore
        assert autograd._engine() is None
    assert gdexp.descend(gdexp.Matrix()).trace.tobytes() == usual
