"""`hydra.sweeper.search_space`, as hydra-optuna-sweeper 1.1 wrote what is swept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdexp.core import BadInput, nearest, validation
from gdexp.sweeper.job_space import JobDimension
from gdexp.sweeps import checked_bounds, choice_dimension

WHERE = "hydra.sweeper.search_space"
KEYS = ("type", "low", "high", "step", "log", "choices")
TYPES = ("int", "float", "categorical")


def old_dimensions(given: Mapping[str, Any]) -> dict[str, JobDimension]:
    """Return the dimensions by name.

    Args:
        given: name to type, ends, step, log or choices.

    Raises:
        BadInput: names the key.
    """
    return {str(name): _dimension(str(name), each) for name, each in given.items()}


def _dimension(name: str, given: object) -> JobDimension:
    where = f"{WHERE}.{name}"
    if not isinstance(given, Mapping):
        raise BadInput(where, given, f"must be a mapping of {', '.join(KEYS)}")
    for key in given:
        if key not in KEYS:
            raise BadInput(f"{where}.{key}", given[key], nearest(str(key), KEYS))
    kind = str(getattr(given.get("type"), "name", given.get("type")))
    validation.choice(f"{where}.type", kind, TYPES)
    if kind == "categorical":
        choices = given.get("choices")
        if not isinstance(choices, list | tuple):
            raise BadInput(f"{where}.choices", choices, "must be a list of values")
        made = choice_dimension(name, tuple(choices), plain=False)
        return JobDimension(name, name, choices=made.choices)
    log = bool(given.get("log"))
    low, high = checked_bounds(name, given.get("low"), given.get("high"), log)
    step = given.get("step")
    if step is not None:
        validation.positive(f"{where}.step", step)
    whole = kind == "int"
    if whole:
        low, high, step = int(low), int(high), None if step is None else int(step)
    if step is not None and not log:
        high = low + int((high - low) / step + 1e-9) * step
    return JobDimension(
        name, name, low=low, high=high, log=log, integer=whole, step=None if log else step
    )
