"""Figures of tracked runs and studies, for plotly or matplotlib.

::

    import gdexp

    runs = gdexp.load_runs()
    gdexp.figures.loss(runs)  # a figure of plotly
    gdexp.figures.loss(runs, backend="matplotlib")

Each function takes a study, loaded runs, a comparison, or a list of run ids, runs and recorded
results. They are the charts of `+compare`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gdexp.api import Named, RunComparison, Study, compare
from gdexp.comparison import (
    Chart,
    Comparison,
    Surface,
    data_profile_chart,
    ecdf_chart,
    fewest_chart,
    loss_chart,
    lr_chart,
    matplotlib_figure,
    path_contours,
    performance_profile_chart,
    plotly_figure,
)
from gdexp.core import BadInput, validation

if TYPE_CHECKING:
    from gdexp.runs import Runs

    Shown = Study | Runs | Comparison | Named | Sequence[Named]

BACKENDS = ("plotly", "matplotlib")

__all__ = ["contour", "ecdf", "iterations_by_lr", "loss", "profile", "thresholds"]


def loss(runs: Shown, *, backend: str = "plotly") -> Any:  # noqa: ANN401
    """Return the loss curves, or median and band over seeds, on a log axis.

    Args:
        runs: what is shown.
        backend: plotly or matplotlib.
    """
    return _figure(loss_chart, runs, backend, "no losses to draw")


def iterations_by_lr(runs: Shown, *, backend: str = "plotly") -> Any:  # noqa: ANN401
    """Return the iterations by learning rate, marked by how each run ended.

    Args:
        runs: with several learning rates.
        backend: plotly or matplotlib.
    """
    return _figure(lr_chart, runs, backend, "needs runs with several learning rates")


def thresholds(runs: Shown, *, backend: str = "plotly") -> Any:  # noqa: ANN401
    """Return the fewest iterations of the traces that reach each threshold.

    Args:
        runs: what is shown.
        backend: plotly or matplotlib.
    """
    return _figure(fewest_chart, runs, backend, "no run reaches a threshold")


def ecdf(runs: Shown, *, backend: str = "plotly") -> Any:  # noqa: ANN401
    """Return the share of problems, thresholds and seeds that each rule does by iterations.

    Args:
        runs: two or more.
        backend: plotly or matplotlib.
    """
    return _figure(ecdf_chart, runs, backend, "needs two runs that reach a threshold")


def profile(runs: Shown, *, kind: str = "performance", backend: str = "plotly") -> Any:  # noqa: ANN401
    """Return the performance or data profile of several rules over several problems.

    E. D. Dolan, J. J. Moré, Benchmarking optimization software with performance profiles,
    Mathematical Programming 91, 2002. J. J. Moré, S. M. Wild, Benchmarking derivative-free
    optimization algorithms, SIAM Journal on Optimization 20, 2009.

    Args:
        runs: of several rules and problems.
        kind: performance or data.
        backend: plotly or matplotlib.
    """
    makers = {"performance": performance_profile_chart, "data": data_profile_chart}
    validation.choice("kind", kind, makers)
    return _figure(makers[kind], runs, backend, "needs several rules on several problems")


def contour(runs: Shown, *, backend: str = "plotly") -> Any:  # noqa: ANN401
    """Return contours of a loss of two variables, with the paths of the best runs.

    The paths are made again from the stored starts and checked against the stored ends.

    Args:
        runs: a recorded result, or runs, of one of gdexp's problems of two variables.
        backend: plotly or matplotlib.
    """
    wanted = "needs runs of one problem of gdexp's with two variables"
    return _figure(path_contours, runs, backend, wanted)


def _figure(
    make: Callable[[Comparison], Chart | Surface | None], runs: Shown, backend: str, missing: str
) -> Any:  # noqa: ANN401
    """Return the figure of a chart.

    Args:
        make: the chart of a comparison; None where the runs have no data for it.
        runs: what is shown.
        backend: plotly or matplotlib.
        missing: what the runs lack then.
    """
    validation.choice("backend", backend, BACKENDS)
    compared = runs if isinstance(runs, Comparison | RunComparison) else compare(runs)
    chart = make(compared)
    if chart is None:
        raise BadInput("runs", repr(compared), missing)
    return (plotly_figure if backend == "plotly" else matplotlib_figure)(chart)
