"""The curves of a trial of several seeds: the median of its descents at each iteration.

A descent that ended keeps its last value. Of an even number of values the median is the lower of
the middle two, a value that was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from gdexp.descent import Result, Trace
from gdexp.training import Readings, TrainingResult


def median_trace(results: Sequence[Result]) -> Trace:
    """Return the median loss of descents at each iteration."""
    traces = [result.trace for result in results if result.trace.size]
    if not traces:
        return np.empty(0)
    padded = np.empty((len(traces), max(map(len, traces))))
    for row, trace in zip(padded, traces, strict=True):
        row[: len(trace)] = trace
        row[len(trace) :] = trace[-1]
    return _median(padded)


def median_curves(results: Sequence[Result]) -> Mapping[str, Readings]:
    """Return the median of each metric of trainings at each update at which it was read."""
    trainings = [result for result in results if isinstance(result, TrainingResult)]
    names = dict.fromkeys(name for result in trainings for name in result.readings)
    return {
        name: _curve([r.readings[name] for r in trainings if name in r.readings]) for name in names
    }


def _curve(readings: Sequence[Readings]) -> Readings:
    first = max(each[0, 0] for each in readings)  # from where all have a value
    updates = np.unique(np.concatenate([each[:, 0] for each in readings]))
    updates = updates[updates >= first]
    places = [np.searchsorted(each[:, 0], updates, side="right") - 1 for each in readings]
    values = np.stack([each[at, 1] for each, at in zip(readings, places, strict=True)])
    return np.column_stack([updates, _median(values)])


def _median(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median of each column; what is not a number counts as infinite."""
    finite = np.where(np.isnan(values), np.inf, values)
    return np.asarray(np.quantile(finite, 0.5, axis=0, method="lower"))
