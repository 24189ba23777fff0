"""Rows of a batch as data: how some ended, where others are, and the losses so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from gdexp.descent.batch import Part, Reached, Traces, piece_of
from gdexp.descent.portable.descents import Descents
from gdexp.descent.portable.pieces import Joined, Pieces
from gdexp.engine import Counts, load_rows, save_rows


def updates_so_far(descents: Descents) -> Counts:
    """Return the updates in the trace of each row, between two blocks."""
    descents.record()
    made: Counts = descents.ends.updates.copy()
    made[descents.places[descents.open]] = descents.k - 1
    return made


def saved_part(rows: Counts, descents: Descents, joined: Joined) -> dict[str, Any]:
    """Return rows as data.

    Args:
        rows: their numbers in the batch.
        descents: the rows between two blocks; those that ended are recorded.
        joined: their traces so far.
    """
    counts, norms = joined.counts, joined.norms
    d, left = descents, np.flatnonzero(descents.open)
    stored = save_rows(d.rows.take(left), d.plan) if left.size else b""
    return {
        "rows": rows,
        "iteration": d.k,
        "ends": dict(vars(d.ends)),
        "traces": dict(vars(joined.losses)),
        "counts": None if counts is None else dict(vars(counts)),
        **({} if norms is None else {"norms": dict(vars(norms))}),
        "running": np.frombuffer(stored, dtype=np.uint8),
        "places": d.places[left],
        "met": d.met[left],
        "below": d.below[left],
    }


def reached(part: Part) -> Reached:
    """Return how far the rows of a part were when they were saved."""
    recorded = np.ones(len(part["rows"]), dtype=bool)
    recorded[part["places"][~part["met"]]] = False
    ends = part["ends"]
    return Reached(recorded, ends["codes"], ends["iterations"], part["iteration"] - 1)


def go_on(descents: Descents, part: Part, there: Counts) -> Pieces:
    """Bring rows that have not begun to where they were saved.

    Args:
        descents: the rows, with their limits as they were there.
        part: that they were saved in.
        there: their positions in it.

    Returns:
        Their traces so far.

    Raises:
        BadInput: they are rows of another plan.
    """
    d = descents
    position = np.full(len(part["rows"]), -1)
    position[there] = np.arange(len(there))
    places: Counts = position[part["places"]]
    kept = np.argsort(places)[np.count_nonzero(places < 0) :]  # in the order of the rows
    places = places[kept]
    rows = own = d.rows.take(places)
    if kept.size:
        rows = load_rows(part["running"].tobytes(), d.plan).take(kept)
    d.met, d.below = part["met"][kept], part["below"][kept]
    d.limits = d.limits.part(places)
    rows.limit[:] = np.where(d.met, own.max_iterations, d.limits.limits)
    rows.max_iterations[:], rows.midway_at[:] = own.max_iterations, own.midway_at
    d.rows, d.places, d.k = rows, places, part["iteration"]
    d.open = np.ones(len(places), dtype=bool)
    d.numbers.select(places)
    for name, values in part["ends"].items():
        vars(d.ends)[name][:] = values[there]
    found = (part.get(name) for name in ("traces", "counts", "norms"))
    return Pieces(*(None if each is None else piece_of(Traces(**each), there) for each in found))
