"""Format keys, values and thresholds for people."""

from __future__ import annotations

from gdexp.core import format_value, printable_line
from gdexp.runs import TrackedRun

MOST_LETTERS = 24


def short_key(key: str) -> str:
    """The last word of a dotted key; of a group's name the group."""
    group, _, last = key.rpartition(".")
    return group if last == "name" and group else last


def brief(run: TrackedRun, key: str) -> str:
    """A param of a run, cut where it is long; empty when the run lacks it."""
    if key not in run.params:
        return ""
    whole = text(run.values[key])
    return whole if len(whole) <= MOST_LETTERS else whole[: MOST_LETTERS - 1] + "…"


def mark(threshold: float) -> str:
    """A threshold in as few characters as it takes: 1e-05, 0.0032."""
    short = f"{threshold:.0e}"
    return short if float(short) == threshold else f"{threshold:.3g}"


def text(value: object) -> str:
    """A value as a person reads it, in at most six significant digits."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return printable_line(format_value(value))
