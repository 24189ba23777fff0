"""A quadratic seen in its eigenvectors: there every rule that is linear is a recurrence of pairs.

With e = x − x* written in the eigenvectors of the Hessian, the gap f(x) − f* is Σ ½ λ_i e_i², and
plain gradient descent, heavy ball and Nesterov's method treat every e_i on its own. So the whole
trace follows from the eigenvalues and from each one's share of the gap at the start.
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
"""Above it a Hessian is not decomposed."""


@dataclass(frozen=True)
class Modes:
    """The eigenvalues that a start excites, and what each adds to the gap.

    Attributes:
        curvatures: eigenvalues λ_i > 0 of the Hessian, float64, (d,).
        weights: `½ λ_i e_i²` at the start, float64, (d,); all > 0.
    """

    curvatures: Floats
    weights: Floats

    @property
    def gap(self) -> float:
        """`f − f*` at the start."""
        return float(self.weights.sum())


def modes(problem: Problem, x0: torch.Tensor) -> Modes | None:
    """The modes of a problem from a start; None unless its Hessian is known to be constant.

    Args:
        problem: one that declares `curvature` and `x_star`.
        x0: the start, taken in float64.
    """
    if isinstance(problem, Transformed):
        return modes(problem.inner, problem.back(x0.detach().to("cpu", torch.float64)))
    if problem.curvature is None or problem.x_star is None:
        return None
    low, high = problem.curvature
    minimiser = problem.x_star.to("cpu", torch.float64)
    e = (x0.detach().to("cpu", torch.float64) - minimiser).flatten()
    if low == high:  # the Hessian is λ I: one mode holds everything
        return _excited(np.array([high]), np.array([float(e.square().sum())]))
    if isinstance(problem, Quadratic):
        return _excited(problem.spectrum.to(torch.float64).numpy(), e.square().numpy())
    if e.numel() > MAX_DIMENSION:
        return None
    values, vectors = torch.linalg.eigh(hessian(problem, minimiser))
    return _excited(values.numpy(), (vectors.T @ e).square().numpy())


def hessian(problem: Problem, x: torch.Tensor) -> torch.Tensor:
    """The Hessian of the loss at x in float64, (n, n)."""
    moved = problem.to(torch.float64, torch.device("cpu"))
    point = x.detach().to("cpu", torch.float64)
    n = point.numel()
    with torch.enable_grad():
        second = torch.autograd.functional.hessian(moved.loss, point)  # type: ignore[no-untyped-call]
    return torch.as_tensor(second).reshape(n, n)


def _excited(curvatures: Floats, squares: Floats) -> Modes:
    weights = 0.5 * curvatures * squares
    keep = weights > 0
    return Modes(curvatures[keep], weights[keep])


def is_linear(rule: UpdateRule) -> bool:
    """Whether a rule treats every mode on its own, by the same recurrence at every iteration."""
    plain = coefficient(rule, "weight_decay") == 0
    return rule.name in LINEAR_RULES and rule.constant and plain


def coefficient(rule: UpdateRule, name: str) -> float:
    """A hyperparameter of a rule; 0 when the rule has none of that name."""
    return float(getattr(rule, name, 0.0))


def descent_gap(m: Modes, lr: float, n: int) -> float:
    """The gap after n iterations of plain gradient descent, `Σ w_i (1 − lr λ_i)^{2n}`."""
    with np.errstate(over="ignore", under="ignore"):
        return float(m.weights @ np.abs(1 - lr * m.curvatures) ** (2.0 * n))


def transition(
    curvatures: Floats, rule: UpdateRule, lr: Floats | float | None = None
) -> tuple[Floats, Floats]:
    """What one iteration does to (e, u) of each mode, with u = lr · velocity.

    ::

        momentum, gd    u ← β u + a e;  e ← e − u                 a = lr λ (1 − dampening)
        nesterov        u ← β u + a e;  e ← e − (a e + β u)       a = lr λ

    Args:
        curvatures: (d,).
        rule: gd, momentum or nesterov.
        lr: instead of the rule's; may be an array that broadcasts with `curvatures`.

    Returns:
        Two arrays of shape (…, d, 2, 2): that of the first iteration, whose velocity is the bare
        gradient as in torch.optim.SGD, and that of every later one.
    """
    beta = coefficient(rule, "momentum")
    taken = 1 - coefficient(rule, "dampening")
    step = (coefficient(rule, "lr") if lr is None else lr) * curvatures
    nesterov = rule.name == "nesterov"
    return _matrix(step, beta, nesterov), _matrix(step * taken, beta, nesterov)


def _matrix(a: Floats, beta: float, nesterov: bool) -> Floats:
    if nesterov:
        rows = [[1 - a - beta * a, np.full_like(a, -beta * beta)], [a, np.full_like(a, beta)]]
    else:
        rows = [[1 - a, np.full_like(a, -beta)], [a, np.full_like(a, beta)]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def gap_blocks(m: Modes, rule: UpdateRule, limit: int) -> Iterator[Floats]:
    """The gaps at iterations 1, 2, …, in blocks, until `limit` of them or until they overflow.

    A block is found from the powers of the transition, doubled up to its length, so that a
    hundred thousand iterations take milliseconds.
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
