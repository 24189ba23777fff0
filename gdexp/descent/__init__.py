"""Descents, single or in a batch, with their stopping rule and their result."""

from gdexp.descent.autograd import gradient_like
from gdexp.descent.batch import BatchResult, BatchSaving, SavedRows, in_one_tensor
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.cap import Cap
from gdexp.descent.costs import (
    COSTS,
    EVALUATIONS,
    GRADIENTS,
    ITERATIONS,
    SECONDS,
    cost_at,
    cost_at_time,
    hitting_cost,
    total_cost,
)
from gdexp.descent.device import arithmetic_settings, exact_arithmetic
from gdexp.descent.loop import Watch
from gdexp.descent.measure import as_gaps, with_measure
from gdexp.descent.metric_thresholds import metric_thresholds
from gdexp.descent.minimum import Minimum
from gdexp.descent.monitor import EndsAt, Monitor, Monitors, Plateau
from gdexp.descent.portable import RecordedHere, misfit, recorded_here
from gdexp.descent.resolved_engine import resolve_engine, same_engine
from gdexp.descent.result import Result, measure_note, outcome_text
from gdexp.descent.single_descent import descend
from gdexp.descent.starts import starting_point
from gdexp.descent.stopping import (
    CAME_NEAR_NOTHING,
    ENDED_FROM_OUTSIDE,
    GAP,
    GRADIENT_NORM,
    LOSS,
    MODES,
    PENALTY,
    RELATIVE,
    THRESHOLDS,
    Status,
    Stopping,
    Trace,
    censoring_bounds,
    crossing,
    first_hits,
    hitting_time,
    linear_crossing,
    projected_time,
)

__all__ = [
    "CAME_NEAR_NOTHING",
    "COSTS",
    "ENDED_FROM_OUTSIDE",
    "EVALUATIONS",
    "GAP",
    "GRADIENTS",
    "GRADIENT_NORM",
    "ITERATIONS",
    "LOSS",
    "MODES",
    "PENALTY",
    "RELATIVE",
    "SECONDS",
    "THRESHOLDS",
    "BatchResult",
    "BatchSaving",
    "Cap",
    "EndsAt",
    "Minimum",
    "Monitor",
    "Monitors",
    "Plateau",
    "RecordedHere",
    "Result",
    "SavedRows",
    "Status",
    "Stopping",
    "Trace",
    "Watch",
    "arithmetic_settings",
    "as_gaps",
    "censoring_bounds",
    "cost_at",
    "cost_at_time",
    "crossing",
    "descend",
    "descend_batch",
    "exact_arithmetic",
    "first_hits",
    "gradient_like",
    "hitting_cost",
    "hitting_time",
    "in_one_tensor",
    "linear_crossing",
    "measure_note",
    "metric_thresholds",
    "misfit",
    "outcome_text",
    "projected_time",
    "recorded_here",
    "resolve_engine",
    "same_engine",
    "starting_point",
    "total_cost",
    "with_measure",
]
