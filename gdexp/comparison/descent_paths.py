"""Contours of a loss of two variables, with the paths of the runs."""

from __future__ import annotations

import math

import numpy as np
import torch

from gdexp.comparison.comparison import Comparison
from gdexp.comparison.figure_model import GREY, PALETTE, Floats, Series, Surface
from gdexp.core import GdexpError
from gdexp.descent import Status, gradient_like
from gdexp.optimizers import State
from gdexp.problems import Problem
from gdexp.runs import TrackedRun

MOST_PATHS = 4
MOST_STEPS = 20_000
GRID_POINTS = 81


def path_contours(comparison: Comparison) -> Surface | None:
    """Make the picture of the best runs' paths, for gdexp's own problems of two variables.

    Only the first and last points are stored, so the descents are repeated from the stored
    config. A path that does not end at the stored last point, bit for bit, is not drawn.
    """
    if len(set(comparison.problem_of.values())) > 1:
        return None
    series: list[Series] = []
    problem: Problem | None = None
    for run in comparison.ranked[:MOST_PATHS]:
        try:
            if run.initial.size != 2 or run.iterations > MOST_STEPS:
                continue
            if run.status == Status.DIVERGED:  # its path leaves every picture
                continue
            walked = descent_path(run)
            problem = problem or run.experiment().function
        except GdexpError:
            continue
        if walked is not None and np.isfinite(walked).all():
            colour = PALETTE[len(series)]
            series.append(Series(comparison.label(run), walked[:, 0], walked[:, 1], colour=colour))
    if problem is None or not series:
        return None
    places = [np.stack([each.x, each.y], axis=1) for each in series]
    if problem.x_star is not None:
        minimum = problem.x_star.double().reshape(1, 2).numpy()
        places.append(minimum)
        series.append(Series("minimum", minimum[:, 0], minimum[:, 1], "points", GREY, "cross"))
    x, y, losses = _losses(problem, np.concatenate(places))
    return Surface(
        name="paths",
        title=f"{problem.name}: the paths of the best runs",
        x_label="first number of x",
        y_label="second number of x",
        x=x,
        y=y,
        z=losses,
        z_label="loss - f*",
        contours=True,
        series=series,
    )


def descent_path(run: TrackedRun) -> Floats | None:
    """Repeat a descent of two variables and return its points, shape (n + 1, 2).

    Returns:
        The points; None if the last one is not the stored final tensor.

    Raises:
        BadInput, UnreadableRun: the run cannot be built here.
    """
    experiment = run.experiment()
    if experiment.function is None:
        return None
    problem = experiment.function.to(experiment.dtype, experiment.device)
    x = torch.tensor(run.initial).to(experiment.device, experiment.dtype)
    step, points = experiment.rule.stepper(problem), [x]
    state: State = ()
    with torch.enable_grad():
        loss = problem.loss(x.requires_grad_())
        gradient = gradient_like(loss)
        for k in range(1, run.iterations + 1):
            coefficients = experiment.rule.coefficients(k)
            x, state = step(x.detach(), gradient(loss, x), state, *coefficients)
            points.append(x)
            loss = problem.loss(x.requires_grad_())
    walked = torch.stack([point.detach().double().cpu() for point in points])
    final = torch.tensor(run.final).double()
    if not torch.equal(walked[-1], final):
        return None
    result: Floats = walked.reshape(-1, 2).numpy()
    return result


def _losses(problem: Problem, points: Floats) -> tuple[Floats, Floats, Floats]:
    """Return x, y and the loss gaps on a square grid around the given points."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.2 * max(float((high - low).max()), 1e-3)
    x = np.linspace(low[0] - margin, high[0] + margin, GRID_POINTS)
    y = np.linspace(low[1] - margin, high[1] + margin, GRID_POINTS)
    moved, shape = problem.to(torch.float64, torch.device("cpu")), tuple(problem.shape)
    with torch.no_grad():
        rows = [
            [float(moved.loss(torch.tensor([a, b], dtype=torch.float64).reshape(shape))) for a in x]
            for b in y
        ]
    gaps = np.minimum(np.array(rows) - problem.reference, np.finfo(np.float64).max)
    floor = max(float(gaps[gaps > 0].min(initial=math.inf)), 1e-12)
    return x, y, np.maximum(gaps, floor if math.isfinite(floor) else 1e-12)
