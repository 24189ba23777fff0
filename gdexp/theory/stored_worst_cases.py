"""Worst cases that were solved once and are kept as data, with the versions that solved them.

`worst_cases.json` is written by `scripts/benchmarks/worst_cases.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TypedDict

import numpy as np

from gdexp.optimizers import UpdateRule, build_rule
from gdexp.theory.fixed_steps import step_matrix
from gdexp.theory.modes import Floats
from gdexp.theory.performance_estimation import Solved

FILE = "worst_cases.json"

STEPS = 31
"""The most updates of a stored worst case."""

HORIZON = "N"
"""Stands in a rule for the number of updates."""

SAME = 1e-9
"""Steps that differ by less are the same."""


class Entry(TypedDict):
    """A rule with lr = 1, and its worst cases after 1, 2, … updates, for L = 1 and a distance of 1.

    Attributes:
        rule: the config group; `HORIZON` stands for the number of updates.
        bounds: of the dual programs.
        gaps: of the solver.
    """

    rule: Mapping[str, object]
    bounds: list[float]
    gaps: list[float]


class Stored(TypedDict):
    """The file.

    Attributes:
        solver: the programs with their versions.
        made: the day.
        entries: one for each rule.
    """

    solver: str
    made: str
    entries: list[Entry]


def stored_worst_case(rule: UpdateRule, normalized: Floats) -> Solved | None:
    """Return the worst case over convex functions of L = 1 that is stored for some steps.

    Args:
        rule: that makes the steps.
        normalized: its steps times L, shape (steps, steps).
    """
    count = len(normalized)
    if count > STEPS:
        return None
    stored = _stored()
    for entry in stored["entries"]:
        if entry["rule"]["name"] != rule.name:
            continue
        steps = step_matrix(rule_of(entry["rule"], count), count)
        if np.allclose(steps, normalized, rtol=SAME, atol=SAME):
            at = count - 1
            return Solved(entry["bounds"][at], entry["gaps"][at], stored["solver"])
    return None


def rule_of(group: Mapping[str, object], steps: int) -> UpdateRule:
    """Return the rule of an entry for a number of updates."""
    return build_rule({"lr": 1.0, **_filled(group, steps)})


def _filled(group: Mapping[str, object], steps: int) -> dict[str, object]:
    return {
        key: _filled(value, steps)
        if isinstance(value, Mapping)
        else (steps if value == HORIZON else value)
        for key, value in group.items()
    }


@lru_cache(maxsize=1)
def _stored() -> Stored:
    text = (files("gdexp.theory") / FILE).read_text(encoding="utf-8")
    found: Stored = json.loads(text)
    return found
