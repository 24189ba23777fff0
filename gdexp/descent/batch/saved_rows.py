"""Rows on torch's kernels as data: how some ended, where others are, and the losses so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gdexp.descent.batch.cycles import Point
from gdexp.descent.batch.limits import Limits
from gdexp.descent.batch.loop import BatchLoop
from gdexp.descent.batch.outcome import joined_traces, piece_of
from gdexp.descent.batch.result import Integers, Traces
from gdexp.descent.batch.saved_limits import Reached
from gdexp.descent.batch.saving import Part


def traces_so_far(loop: BatchLoop) -> Traces:
    """Return the losses of all rows of a loop between two blocks."""
    loop.flush()
    ends = loop.ends
    updates = ends.outcome.updates.copy()
    updates[ends.rows[~ends.ended]] = loop.k
    return joined_traces(updates, list(ends.outcome.pieces))


def saved_part(rows: Integers, loop: BatchLoop, traces: Traces) -> dict[str, Any]:
    """Return rows as data.

    Args:
        rows: their numbers in the batch.
        loop: of the rows, between two blocks.
        traces: their losses so far.
    """
    outcome, ends = loop.ends.outcome, loop.ends
    return {
        "engine": "torch",
        "rows": rows,
        "iteration": loop.k,
        "outcome": {name: values for name, values in vars(outcome).items() if name != "pieces"},
        "traces": dict(vars(traces)),
        "places": ends.rows,
        "x": loop.point.x.detach(),
        "state": list(loop.point.state),
        "ends": ends.saved(),
    }


def reached(part: Part) -> Reached:
    """Return how far the rows of a part were when they were saved."""
    ends, outcome = part["ends"], part["outcome"]
    recorded = np.ones(len(part["rows"]), dtype=bool)
    recorded[part["places"][~(ends["ended"] | ends["converged"])]] = False
    return Reached(recorded, outcome["codes"], outcome["iterations"], part["iteration"])


def go_on(loop: BatchLoop, part: Part, there: Integers, limits: Limits | None = None) -> None:
    """Bring rows that have not begun to where they were saved.

    Args:
        loop: of the rows.
        part: that they were saved in.
        there: their positions in it.
        limits: of the rows, as a cap and those before had lowered them; None: nothing did.
    """
    position = np.full(len(part["rows"]), -1)
    position[there] = np.arange(len(there))
    places: Integers = position[part["places"]]
    left = np.flatnonzero((places >= 0) & ~part["ends"]["ended"])
    left = left[np.argsort(places[left])]  # in the order of the rows
    loop.ends.go_on(part["ends"], places[left], left)
    if limits is not None:
        loop.ends.limit_by(limits)
    loop.k = part["iteration"]
    index = torch.from_numpy(left).to(loop.point.x.device)
    loop.point = Point(part["x"], tuple(part["state"])).select(index)
    outcome = loop.ends.outcome
    for name, values in part["outcome"].items():
        at = there if isinstance(values, np.ndarray) else torch.from_numpy(there).to(values.device)
        vars(outcome)[name] = values[at]
    outcome.pieces = [piece_of(Traces(**part["traces"]), there)]
