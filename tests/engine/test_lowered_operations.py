"""Every lowered operation has torch's values and torch's gradient."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from gdexp.engine.lowering import described
from tests.engine.lowered import Function, both, weighted

A = torch.linspace(-0.9, 1.3, 12, dtype=torch.float64).reshape(3, 4)
B = torch.linspace(0.2, 1.9, 20, dtype=torch.float64).reshape(4, 5)
ROW = torch.tensor([0.5, -1.5, 2.0, 0.25], dtype=torch.float64)
MASK = torch.tensor([True, False, True, True])
LABELS = torch.tensor([1, 3, 0])
IGNORED = torch.tensor([1, -100, 0])
SOFT = torch.linspace(0.05, 0.95, 12, dtype=torch.float64).reshape(3, 4)
ROWS = torch.tensor([2, 0, 2, 1])

ELEMENTWISE: dict[str, Function] = {
    "add alpha": lambda x: torch.add(x, A, alpha=0.7),
    "sub alpha": lambda x: torch.sub(A, x, alpha=3),
    "rsub": lambda x: 2 - x,
    "mul": lambda x: x * A * 0.1,
    "div": lambda x: x / 3 + A / x + 2 / x,
    "integer operand": lambda x: x * torch.arange(4) + torch.tensor(2),
    "boolean operand": lambda x: x * MASK,
    "zero-dimensional": lambda x: x * torch.tensor(0.3, dtype=torch.float64) + x[0, 0],
    "neg": lambda x: -x,
    "abs": lambda x: (x - 0.5).abs(),
    "sign": lambda x: x * torch.sign(x - 0.5),
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "square": torch.square,
    "pow 2": lambda x: x**2,
    "pow 3": lambda x: (x - 0.5) ** 3,
    "pow 4": lambda x: x**4,
    "pow -1": lambda x: x**-1 + x**-2,
    "pow 0.5": lambda x: x**0.5 + x**-0.5,
    "pow 1.7": lambda x: x**1.7,
    "pow tensor": lambda x: x ** (x + 1),
    "pow of number": lambda x: 2.5**x,
    "exp": torch.exp,
    "log": torch.log,
    "log2": torch.log2,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "expm1": torch.expm1,
    "exp2": torch.exp2,
    "sin": lambda x: torch.sin(5 * x),
    "cos": lambda x: torch.cos(5 * x),
    "tan": torch.tan,
    "tanh": lambda x: torch.tanh(3 * x - 1),
    "sinh cosh": lambda x: torch.sinh(x - 0.5) + torch.cosh(x),
    "sigmoid": lambda x: torch.sigmoid(4 * x - 2),
    "erf": lambda x: torch.erf(x - 0.5),
    "lerp": lambda x: torch.lerp(x, A, 0.3) + torch.lerp(x, A, 0.8),
    "addcmul": lambda x: torch.addcmul(A, x, x, value=0.5),
    "addcdiv": lambda x: torch.addcdiv(A, x, x + 1, value=0.5),
    "maximum": lambda x: torch.maximum(x, A) + torch.minimum(x, A.flip(0)),
    "clamp": lambda x: x.clamp(0.3, 0.6) + x.clamp_min(0.4) + x.clamp_max(0.5),
    "clamp tensor": lambda x: x.clamp(A - 0.5, A + 0.5),
    "where": lambda x: torch.where(x > 0.5, x * x, A),
    "where number": lambda x: torch.where(x > 0.5, x, 0.25),
    "masked_fill": lambda x: x.masked_fill(x < 0.4, 2.0) + x.masked_fill(MASK, -1.0),
    "logic": lambda x: x * ((x > 0.3) & (x < 0.6) | ~(x >= 0.2) ^ (x <= 0.9)),
    "logical": lambda x: x * torch.logical_and(x > 0.3, torch.logical_not(x != A)),
    "isfinite": lambda x: torch.where(torch.isfinite(1 / x) & ~torch.isnan(x), x, 0.0),
    "any all": lambda x: x * (x > 0.5).any() + x * (x > -1).all(0),
    "round": lambda x: x * torch.round(7 * x) + torch.floor(9 * x - 4) * x,
    "trunc": lambda x: x * torch.trunc(7 * x - 3) + torch.ceil(9 * x - 4) + torch.frac(3 * x),
    "to bool": lambda x: x * (x > 0.5).to(x.dtype),
    "nan_to_num free": lambda x: x.clone().detach() * x,
}

ACTIVATIONS: dict[str, Function] = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(8 * x),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "elu": lambda x: F.elu(x, 1.3),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.5),
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "mish": F.mish,
    "softplus": lambda x: F.softplus(x) + F.softplus(9 * x, beta=3, threshold=10),
    "logsigmoid": F.logsigmoid,
    "hardtanh": lambda x: F.hardtanh(2 * x),
    "hardsigmoid": lambda x: F.hardsigmoid(5 * x),
    "hardswish": lambda x: F.hardswish(5 * x),
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "tanhshrink": F.tanhshrink,
    "softsign": F.softsign,
    "threshold": lambda x: F.threshold(x, 0.2, -1.0),
    "prelu": lambda x: F.prelu(x, x.flatten()[:1].detach() * 0 + 0.25),
    "softmax": lambda x: F.softmax(x, 0),
    "softmin": lambda x: F.softmin(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "logsumexp": lambda x: torch.logsumexp(x, 1) + torch.logsumexp(x, (0, 1)),
    "layer_norm": lambda x: F.layer_norm(x, (4,), ROW, ROW + 1),
    "layer_norm plain": lambda x: F.layer_norm(x, (3, 4)),
    "normalize": lambda x: F.normalize(x, dim=1),
    "glu": lambda x: x[:, :2] * torch.sigmoid(x[:, 2:]),
}

VIEWS: dict[str, Function] = {
    "view": lambda x: x.view(2, -1)[1] * 2,
    "reshape": lambda x: x.t().reshape(2, 6),
    "flatten": lambda x: x.flatten() * torch.arange(12),
    "transpose": lambda x: x.transpose(0, 1) * x.T,
    "permute": lambda x: x.view(3, 2, 2).permute(2, 0, 1).contiguous(),
    "expand": lambda x: x[0].expand(5, 4) * B.t(),
    "squeeze": lambda x: x[:1].squeeze() + x[:, None, :1].squeeze(1).squeeze(-1).sum(),
    "select": lambda x: x.select(1, -1) + x[1, 2],
    "slice": lambda x: x[1:, ::2] * x[:-1, 1::2],
    "split": lambda x: torch.split(x, 3, 1)[1] * x.split([1, 3], dim=1)[0],
    "chunk": lambda x: torch.chunk(x, 2, dim=0)[1],
    "unbind": lambda x: x.unbind(0)[2] * x.unbind(1)[0].sum(),
    "flip": lambda x: x.flip(0, 1) * x,
    "roll": lambda x: x.roll(1, 0) * x + x.roll(5),
    "cat": lambda x: torch.cat([x, A[:, :2], x[:, :1]], dim=1) * torch.arange(7),
    "cat first": lambda x: torch.cat([x, x * 2]),
    "stack": lambda x: torch.stack([x, x * x], dim=1).view(3, 8),
    "stack numbers": lambda x: torch.stack([x[0, 0], x[1, 1] ** 2, x[0, 0]]),
    "diagonal": lambda x: x.diagonal() * x.diagonal(1) + torch.diag(x[:3, :3]),
    "tril": lambda x: torch.tril(x) + torch.triu(x, 1) * 3,
    "pad": lambda x: F.pad(x, (1, 2, 0, 1), value=0.5),
    "repeat": lambda x: x.repeat(2, 1),
    "unfold": lambda x: x.unfold(1, 2, 1),
    "as_strided": lambda x: x.as_strided((2, 3), (4, 1), 1),
    "movedim": lambda x: x.movedim(0, 1) * x.T,
    "narrow": lambda x: x.narrow(1, 1, 2),
    "empty slice": lambda x: torch.cat([x[:, 4:], x], 1),
    "in place": lambda x: x.clone().mul_(x).add_(1).sub_(0.5),
    "set rows": lambda x: _set_rows(x),
    "set column": lambda x: _set_column(x),
    "view after write": lambda x: _view_after_write(x),
    "squeeze in place": lambda x: (x * 2)[:1].squeeze_(0) * x[1],
    "into zeros": lambda x: _into_zeros(x),
}


def _set_rows(x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    y[0] = x[1] * x[2]
    y[:, 1] += 3 * x[:, 0]
    return y


def _set_column(x: torch.Tensor) -> torch.Tensor:
    y = (x * 2).t()
    y[1:3] = 0.5
    return y * x.t()


def _view_after_write(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    z = y.view(-1)
    y.mul_(x)
    return z * 2


def _into_zeros(x: torch.Tensor) -> torch.Tensor:
    y = torch.zeros(3, 4, dtype=x.dtype)
    y[1:] = x[:2] ** 2
    y[0, 0] = x[2, 3]
    return y


REDUCTIONS: dict[str, Function] = {
    "sum": lambda x: x.sum() * x,
    "sum dims": lambda x: x.view(3, 2, 2).sum((0, 2)) + x.sum(0, keepdim=True).sum(),
    "sum no dims": lambda x: x.sum(dim=[]) * 2,
    "mean": lambda x: x.mean() + x.mean(1) * x.mean((0, 1)),
    "mean no dims": lambda x: torch.mean(x, dim=[]),
    "amax": lambda x: x.amax(1) - x.amin() + x.amax((0, 1), keepdim=True).sum(),
    "max": lambda x: x.max() * x.min(),
    "max dim": lambda x: x.max(1).values * x.min(dim=1).values + x.max(0)[0].sum(),
    "argmax": lambda x: x * (x.argmax(1, keepdim=True) == torch.arange(4)),
    "gather argmax": lambda x: x.gather(1, (x * A).argmax(1, keepdim=True)),
    "prod": lambda x: x.prod() + x.prod(1),
    "cumsum": lambda x: x.cumsum(1) * x.cumsum(0),
    "cumprod": lambda x: x.cumprod(1),
    "logcumsumexp": lambda x: x.logcumsumexp(1),
    "var": lambda x: x.var() + x.var(1) + x.var(0, correction=0).sum(),
    "std": lambda x: x.std() + x.std(0, unbiased=False).sum(),
    "norm": lambda x: x.norm() + torch.linalg.vector_norm(x, dim=1),
    "norm 1": lambda x: torch.linalg.vector_norm(x, 1) + torch.linalg.vector_norm(x, math.inf),
    "norm 3": lambda x: torch.linalg.vector_norm(x, 3, dim=0),
    "cosine": lambda x: F.cosine_similarity(x, A, dim=1),
    "pairwise": lambda x: F.pairwise_distance(x, A),
}

PRODUCTS: dict[str, Function] = {
    "mm": lambda x: x @ B,
    "mm both": lambda x: x @ x.T,
    "mv": lambda x: x @ ROW + B[:3, :4] @ x[0],
    "dot": lambda x: x[0].dot(x[1]) * x[2].dot(ROW),
    "vector matrix": lambda x: x[0] @ B,
    "addmm": lambda x: torch.addmm(x[:, :1], x, B, beta=0.5, alpha=2),
    "addmv": lambda x: torch.addmv(x[:, 0], x, x[0]),
    "addr": lambda x: torch.addr(x, x[:, 0], x[0]),
    "outer": lambda x: torch.outer(x[0], x[:, 1]),
    "bmm": lambda x: torch.bmm(x.view(3, 2, 2), A.view(3, 2, 2)) @ x.view(3, 2, 2),
    "linear": lambda x: F.linear(x, B.T, B[0]),
    "linear weights": lambda x: F.linear(A, x[:, :4], x[:, 0]),
    "linear batch": lambda x: F.linear(x.view(3, 1, 4), B.T),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, A),
    "matmul broadcast": lambda x: x.view(3, 2, 2) @ B[:2, :2],
    "trace": lambda x: (x[:3, :3] @ x[:3, 1:]).diagonal().sum(),
}

INDEXING: dict[str, Function] = {
    "index": lambda x: x[ROWS] * x[ROWS][:, [1, 1, 0, 3]],
    "index pairs": lambda x: x[ROWS, torch.tensor([0, 1, 2, 3])],
    "index mask": lambda x: x[:, MASK] * x[A > 0].sum(),
    "index negative": lambda x: x[[-1, 0]] + x[:, torch.tensor(-2)][:2, None],
    "masked_select": lambda x: x.masked_select(A > 0.1),
    "index_select": lambda x: x.index_select(1, torch.tensor([3, 3, 0])),
    "gather": lambda x: x.gather(1, torch.tensor([[0, 0], [3, 1], [2, 2]])),
    "take": lambda x: x.take(torch.tensor([0, 5, 5, 11])),
    "scatter": lambda x: A.scatter(1, torch.tensor([[0, 2], [3, 1], [2, 0]]), x[:, :2]),
    "scatter_add": lambda x: A.scatter_add(1, torch.tensor([[0, 0], [3, 1], [2, 2]]), x[:, 2:]),
    "index_add": lambda x: A.index_add(0, torch.tensor([1, 1]), x[1:], alpha=2),
    "index_put": lambda x: A.index_put((ROWS[:2],), x[:2]),
    "index_put add": lambda x: x.index_put((torch.tensor([1, 1]),), x[:2], accumulate=True),
    "index_copy": lambda x: A.index_copy(0, torch.tensor([2, 0]), x[:2]),
    "index_fill": lambda x: x.index_fill(1, torch.tensor([2]), 0.5),
    "embedding": lambda x: F.embedding(ROWS, x) * A[:, None].flatten()[:4],
    "set items": lambda x: _set_items(x),
    "take_along_dim": lambda x: torch.take_along_dim(x, torch.tensor([[1], [0], [3]]), 1),
}


def _set_items(x: torch.Tensor) -> torch.Tensor:
    y = x.clone()
    y[torch.tensor([0, 2])] = x[1] * 2
    y[A > 1] = 0.0
    return y


LOSSES: dict[str, Function] = {
    f"{name} {reduction}": lambda x, loss=loss, reduction=reduction: loss(x, reduction=reduction)
    for reduction in ("mean", "sum", "none")
    for name, loss in {
        "mse": lambda x, **how: F.mse_loss(x, A, **how),
        "l1": lambda x, **how: F.l1_loss(x, A, **how),
        "smooth_l1": lambda x, **how: F.smooth_l1_loss(x, A, beta=0.4, **how),
        "huber": lambda x, **how: F.huber_loss(x, A, delta=0.4, **how),
        "bce": lambda x, **how: F.binary_cross_entropy(torch.sigmoid(x), SOFT, **how),
        "bce weight": lambda x, **how: F.binary_cross_entropy(
            torch.sigmoid(x), SOFT, weight=ROW.abs(), **how
        ),
        "logits": lambda x, **how: F.binary_cross_entropy_with_logits(x, SOFT, **how),
        "logits weights": lambda x, **how: F.binary_cross_entropy_with_logits(
            x, SOFT, weight=ROW.abs(), pos_weight=ROW.abs() + 1, **how
        ),
        "cross_entropy": lambda x, **how: F.cross_entropy(x, LABELS, **how),
        "cross_entropy weights": lambda x, **how: F.cross_entropy(
            x, LABELS, weight=ROW.abs(), **how
        ),
        "cross_entropy ignored": lambda x, **how: F.cross_entropy(
            x, IGNORED, label_smoothing=0.1, **how
        ),
        "cross_entropy soft": lambda x, **how: F.cross_entropy(x, SOFT, **how),
        "nll": lambda x, **how: F.nll_loss(x, LABELS, **how),
        "kl_div": lambda x, reduction: F.kl_div(
            F.log_softmax(x, 1), SOFT, reduction=reduction.replace("mean", "batchmean")
        ),
        "poisson": lambda x, **how: F.poisson_nll_loss(x, SOFT, **how),
        "gaussian": lambda x, **how: F.gaussian_nll_loss(x, A, SOFT, **how),
        "soft margin": lambda x, **how: F.soft_margin_loss(x, torch.sign(A), **how),
        "hinge": lambda x, **how: F.hinge_embedding_loss(x, torch.sign(A), **how),
    }.items()
}

CASES = {
    f"{topic}: {name}": function
    for topic, functions in {
        "elementwise": ELEMENTWISE,
        "activations": ACTIVATIONS,
        "views": VIEWS,
        "reductions": REDUCTIONS,
        "products": PRODUCTS,
        "indexing": INDEXING,
        "losses": LOSSES,
    }.items()
    for name, function in functions.items()
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_torch(case: str) -> None:
    signed = case.startswith(("activations", "losses"))
    generator = torch.Generator().manual_seed(len(case))
    x = torch.rand(3, 4, generator=generator, dtype=torch.float64)
    x = 4 * x - 2 if signed else x + 0.01

    ours, theirs = both(weighted(CASES[case]), x)

    for one, other in zip(ours, theirs, strict=True):
        room = 1e-13 * other.abs() + 1e-14 * (1 + other.abs().max())
        assert one.shape == other.shape
        assert bool(((one - other).abs() <= room).all()), (one, other)


def test_every_operation_says_what_it_computes() -> None:
    texts = described()

    assert len(texts) > 150
    assert all(text.endswith((".", "`")) for text in texts.values())
    assert "balanced tree" in texts["aten::sum"]
