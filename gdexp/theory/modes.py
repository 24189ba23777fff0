"""A quadratic in the basis of its eigenvectors, where linear rules are recurrences.

With e = x − x* in the eigenvectors of the Hessian, the gap f(x) − f* is Σ ½ λ_i e_i². Plain
gradient descent, heavy ball and Nesterov's method change each e_i independently of the others. So
the trace follows from the eigenvalues and from the share of each one in the gap at the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem, Quadratic, Transformed

Floats = npt.NDArray[np.float64]

LINEAR_RULES = ("gd", "momentum", "nesterov")
MAX_DIMENSION = 2048
"""The largest dimension for which a Hessian is decomposed."""


@dataclass(frozen=True)
class Modes:
    """The eigenvalues with a share in the gap at the start, and these shares.

    Attributes:
        curvatures: eigenvalues λ_i > 0 of the Hessian, float64, (d,).
        weights: `½ λ_i e_i²` at the start, float64, (d,); all > 0.
    """

    curvatures: Floats
    weights: Floats

    @property
    def gap(self) -> float:
        """The gap `f − f*` at the start."""
        return float(self.weights.sum())


def modes(problem: Problem, x0: torch.Tensor) -> Modes | None:
    """Return the modes of a problem from a start; None unless its Hessian is constant.

    Args:
        problem: a problem that declares `curvature` and `x_star`.
        x0: the start; it is converted to float64.
    """
    if isinstance(problem, Transformed):
        return modes(problem.inner, problem.back(x0.detach().to("cpu", torch.float64)))
    if problem.curvature is None or problem.x_star is None:
        return None
    low, high = problem.curvature
    minimiser = problem.x_star.to("cpu", torch.float64)
    e = (x0.detach().to("cpu", torch.float64) - minimiser).flatten()
    if low == high:  # the Hessian is λ I and has a single mode
        return _nonzero_modes(np.array([high]), np.array([float(e.square().sum())]))
    if isinstance(problem, Quadratic):
        return _nonzero_modes(problem.spectrum.to(torch.float64).numpy(), e.square().numpy())
    if e.numel() > MAX_DIMENSION:
        return None
    values, vectors = torch.linalg.eigh(hessian(problem, minimiser))
    return _nonzero_modes(values.numpy(), (vectors.T @ e).square().numpy())


def hessian(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """Return the Hessian of the loss at x in float64, (n, n)."""
    double = problem.to(torch.float64, torch.device("cpu"))
    point = x.detach().to("cpu", torch.float64)
    n = point.numel()
    with torch.enable_grad():
        second = torch.autograd.functional.hessian(double.loss, point)  # type: ignore[no-untyped-call]
    return torch.as_tensor(second).reshape(n, n)


def _nonzero_modes(curvatures: Floats, squares: Floats) -> Modes:
    weights = 0.5 * curvatures * squares
    keep = weights > 0
    return Modes(curvatures[keep], weights[keep])


def is_linear(rule: UpdateRule) -> bool:
    """Return whether a rule is the same linear recurrence of each mode at every iteration."""
    plain = coefficient(rule, "weight_decay") == 0
    return rule.name in LINEAR_RULES and rule.constant and plain


def coefficient(rule: UpdateRule, name: str) -> float:
    """Return a hyperparameter of a rule; 0 when the rule has none of that name."""
    return float(getattr(rule, name, 0.0))


def descent_gap(m: Modes, lr: float, n: int) -> float:
    """Return the gap of plain gradient descent after n iterations, `Σ w_i (1 − lr λ_i)^{2n}`."""
    with np.errstate(over="ignore", under="ignore"):
        return float(m.weights @ np.abs(1 - lr * m.curvatures) ** (2.0 * n))


def transition(
    curvatures: Floats, rule: UpdateRule, lr: Floats | float | None = None
) -> tuple[Floats, Floats]:
    """Return the matrix by which one iteration multiplies (e, u) of each mode, u = lr · velocity.

    ::

        momentum, gd    u ← β u + a e;  e ← e − u                 a = lr λ (1 − dampening)
        nesterov        u ← β u + a e;  e ← e − (a e + β u)       a = lr λ

    Args:
        curvatures: (d,).
        rule: gd, momentum or nesterov.
        lr: in place of the rule's; may be an array that broadcasts with `curvatures`.

    Returns:
        Two arrays of shape (…, d, 2, 2): one for the first iteration, whose velocity is the
        undamped gradient as in torch.optim.SGD, and one for all later iterations.
    """
    beta = coefficient(rule, "momentum")
    share = 1 - coefficient(rule, "dampening")
    step = (coefficient(rule, "lr") if lr is None else lr) * curvatures
    nesterov = rule.name == "nesterov"
    return _matrix(step, beta, nesterov), _matrix(step * share, beta, nesterov)


def _matrix(a: Floats, beta: float, nesterov: bool) -> Floats:
    if nesterov:
        rows = [[1 - a - beta * a, np.full_like(a, -beta * beta)], [a, np.full_like(a, beta)]]
    else:
        rows = [[1 - a, np.full_like(a, -beta)], [a, np.full_like(a, beta)]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def gap_blocks(m: Modes, rule: UpdateRule, limit: int) -> Iterator[Floats]:
    """Yield the gaps at iterations 1 … `limit` in blocks; stop when they overflow.

    Powers of the transition matrix give a block at once, so that a hundred thousand iterations
    take milliseconds.
    """
    first, later = transition(m.curvatures, rule)
    state = first[..., 0]  # from e = 1 and no velocity
    done = 1
    yield np.array([float(m.weights @ np.square(state[:, 0]))])
    length = min(256, max(1, 500_000 // m.curvatures.size))  # at most 32 MB of powers
    with np.errstate(all="ignore"):
        powers = later[None]
        while len(powers) < min(length, limit - 1):
            powers = np.concatenate([powers, powers @ powers[-1]])
        while done < limit:
            ahead = (powers @ state[:, :, None])[..., 0]
            gaps = np.square(ahead[..., 0]) @ m.weights
            yield gaps[: limit - done]
            if not np.isfinite(gaps[-1]):
                return
            state = ahead[-1]
            done += len(gaps)
