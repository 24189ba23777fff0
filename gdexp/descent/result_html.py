"""The outcome of a descent as a notebook shows it: facts and the loss curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gdexp.core import format_number, gap_name
from gdexp.descent.stopping import LOSS
from gdexp.display import BLUE, ORANGE, Chart, notebook

if TYPE_CHECKING:
    from gdexp.descent.result import Result

MOST_POINTS = 5_000


def result_html(result: Result) -> str:
    """Return the outcome, and the loss curve on a log axis."""
    pairs = [
        ("problem", result.problem),
        ("status", str(result.status)),
        ("iterations", f"{result.iterations:,}"),
        ("hitting time", format_number(result.hitting_time)),
        ("final loss", format_number(result.final_loss)),
        *result.facts(),
        *([] if result.run_id is None else [("MLflow run", result.run_id)]),
    ]
    drawn = notebook.image(_curve(result), "loss by iteration") if len(result.trace) > 1 else ""
    return notebook.facts(pairs) + drawn


def _curve(result: Result) -> bytes:
    steps = np.unique(np.linspace(0, len(result.trace) - 1, MOST_POINTS).astype(int))
    absolute = result.stopping.absolute
    gaps = result.trace[steps] - (0.0 if absolute else result.f_star)
    seen = np.isfinite(gaps) & (absolute | (gaps > 0))
    name = "loss" if absolute else gap_name(result.f_star)
    chart = Chart(6.4, 3.2, x_label="iteration", y_label=name, y_log=not absolute)
    chart.line(steps[seen].tolist(), gaps[seen].tolist(), BLUE)
    if result.stopping.metric == LOSS and result.stopping.has_threshold:
        chart.level(result.threshold, ORANGE, "threshold")
    return chart.png()
