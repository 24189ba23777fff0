"""How far portable losses are from torch's, held against what a disturbance of one ulp does."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.portable_bits import Planned, Way, row_alone
from benchmarks.portable_cases import DTYPES, RATES, rules, shipped
from gdexp import Stopping
from gdexp.engine import Array, Interpreter
from gdexp.engine.bounds import BoundBuilder, Bounded
from gdexp.engine.lowering import lower
from gdexp.engine.make_plan import leaf, loss_and_gradient
from gdexp.engine.program import Node
from gdexp.engine.recorder import record
from gdexp.optimizers import SearchingRule, State, UpdateRule

Floats = npt.NDArray[np.float64]

RUNS, ITERATIONS = 20, 50
CPU = torch.device("cpu")


class Terms(BoundBuilder):
    """Bounds that count a sum as one rounding of the sum of its absolute terms."""

    def _structural(self, node: Node, given: list[Bounded], u: float) -> Bounded:
        if node.operation != "sum":
            return super()._structural(node, given, u)
        value, error = given[0]
        return Bounded(value.sum(-1), error.sum(-1) + u * np.abs(value).sum(-1))


def combinations() -> list[tuple[str, str, str]]:
    """Return each shipped problem, rule and type; a rule that searches has no update to disturb."""
    names = [name for name, each in rules(1.0).items() if not isinstance(each, SearchingRule)]
    return [(p, r, d) for p in RATES for r in names for d in DTYPES]


def farthest(problem: str, rule: str, dtype: str) -> float:
    """Return the largest ratio of the distance of 50 losses to what is allowed.

    Allowed is 10 times the largest distance so far of torch's losses and those of 20 runs of torch
    whose gradients are moved by one ulp, up or down; and 4 ulp of the loss, or where its terms
    cancel, of its terms.
    """
    lr = rules(RATES[problem])[rule]
    made = Planned(shipped(problem)(), lr, dtype)
    ulp_of_terms = torch.from_numpy(2 * terms(made, made.x)[1]).to(made.dtype)
    theirs, points = torch_losses(made, lr, None, ulp_of_terms)
    disturbed = np.array([torch_losses(made, lr, seed, ulp_of_terms)[0] for seed in range(RUNS)])
    until = Stopping(5e-324, ITERATIONS)
    done = row_alone(made, Way("interpreted"), lr, made.x.numpy(), until)
    ours = np.frombuffer(done.trace)
    # A number that is not finite has no distance: what comes after it is not compared.
    finite = np.isfinite(np.vstack([theirs[: len(ours)], disturbed[:, : len(ours)], ours])).all(0)
    n = int(finite.argmin()) if not finite.all() else len(ours)
    ours = ours[:n]
    spread = np.maximum.accumulate(np.abs(disturbed[:, :n] - theirs[:n]).max(0))
    ulp = float(np.finfo(dtype).eps) * np.abs(theirs[:n])
    allowed, distance = 10 * spread + 4 * ulp, np.abs(ours - theirs[:n])
    for k in np.flatnonzero(distance > allowed):
        allowed[k] += 8 * terms(made, points[k])[0].item()
    return float((distance / np.maximum(allowed, 5e-324)).max(initial=0.0))


def torch_losses(
    made: Planned, rule: UpdateRule, seed: int | None, ulp_of_terms: torch.Tensor
) -> tuple[Floats, list[torch.Tensor]]:
    """Return losses by torch's kernels, and the points that they are of.

    Args:
        made: the problem with its start.
        rule: the rule.
        seed: moves each number of each gradient by one ulp; None: none is moved.
        ulp_of_terms: of the gradient at the start. Numbers there of no more than four of them
            are what rounding leaves of terms that cancel, such as a bias on centered data; they
            are moved by one of these.
    """
    problem = made.problem.to(made.dtype, CPU)
    random = None if seed is None else torch.Generator().manual_seed(seed)
    x, points, losses = made.x.clone(), [], []
    state: State = ()
    for k in range(1, ITERATIONS + 2):
        point = x.requires_grad_()
        loss = problem.loss(point)
        (gradient,) = torch.autograd.grad(loss, point)
        losses.append(float(loss.detach()))
        points.append(point.detach())
        if k == 1:
            cancels = gradient.abs() <= 4 * ulp_of_terms.view_as(gradient)
        if random is not None:
            signs = (torch.rand(gradient.shape, generator=random) - 0.5).sign().to(gradient)
            moved = torch.nextafter(gradient, signs * torch.inf)
            gradient = torch.where(cancels, gradient + signs * ulp_of_terms, moved)
        x, state = rule.update(point.detach(), gradient, state, *rule.coefficients(k))
    return np.array(losses), points


def first_step(problem: str, dtype: str) -> float:
    """Return the largest distance of loss and gradient at the start, in ulp of the terms.

    That is the sum of the absolute terms of each sum, carried through the operations after it.
    """
    made = Planned(shipped(problem)(), rules(RATES[problem])["gd"], dtype)
    found = Interpreter(made.plan.evaluate)({"x": made.x.unsqueeze(0)})
    known = loss_and_gradient(made.problem.to(made.dtype, CPU), leaf(made.x))
    ratios = []
    for name, size in zip(("loss", "gradient"), terms(made, made.x), strict=True):
        ours = found[name].detach().numpy().astype(np.float64).reshape(-1)
        theirs = known[name].detach().numpy().astype(np.float64).reshape(-1)
        ulp = np.maximum(2 * size.reshape(-1), np.finfo(dtype).smallest_subnormal)
        ratios.append((np.abs(ours - theirs) / ulp).max())
    return float(max(ratios))


def terms(made: Planned, x: torch.Tensor) -> tuple[Array, Array]:
    """Return half an ulp of the absolute terms of loss and gradient at a point."""
    converted = made.problem.to(made.dtype, CPU)
    point = leaf(x)
    recording = record(partial(loss_and_gradient, converted), {"x": point})
    builder = Terms(made.plan.dtype, given={"x": point.detach().numpy()})
    values = lower(recording, builder)
    return builder.bounded(values["loss"]).error, builder.bounded(values["gradient"]).error
