"""Check a stored config key by key, then build its experiment.

Anyone may have written the config of a run. So Hydra does not compose it, its interpolations are
not resolved, and nothing that it names is imported unless the user of this machine allows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from gdexp.config import ADDED_KEYS, OUTCOME_KEYS, Config
from gdexp.core import MASK, BadInput, nearest, printable_line
from gdexp.engine import Plans
from gdexp.experiment import TRAININGS, Experiment
from gdexp.problems import PROBLEMS

CUSTOM = "custom"

OF_USER = (CUSTOM, *TRAININGS)
"""The problems that are the user's own code, which runs only where it is trusted."""

TORCH_CLASSES = (
    *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon"),
    *("NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
)
"""The classes of torch.optim that a stored config may name."""

GROUPS = ("problem", "optimizer", "stopping")
MOST_NUMBERS = 10_000_000
"""The most variables of a problem, and the most numbers that one of its layers computes at once."""

DEFAULT_POINTS = 64
"""The default `problem.points` of the problem `function`."""

MOST_OPTION = 10_000
"""The largest integer among the options of a torch.optim class: it may count inner iterations."""


def stored_experiment(
    stored: Mapping[str, Any],
    trust: Sequence[str] = (),
    numbers: int | None = None,
    plans: Plans | None = None,
) -> Experiment:
    """Build the experiment of a stored config, from gdexp's own classes and trusted ones only.

    Args:
        stored: plain containers, as returned by `parse_config`.
        trust: import paths of the user's own problems that may be imported, exactly as stored.
        numbers: the size of the recorded starting point, if it is known. A config that asks for
            another number of variables is refused before memory is allocated.
        plans: what its portable descents compute; None: what is recorded of the problem.

    Raises:
        BadInput: names the first key whose value gdexp does not write.
    """
    check_stored_config(stored)
    _check_size(stored["problem"], numbers)
    try:
        return Experiment.from_config(stored, trust, plans)
    except BadInput as error:
        raise BadInput(
            error.key, printable_line(str(error.value)), printable_line(error.allowed)
        ) from error


def check_stored_config(stored: Mapping[str, Any]) -> None:
    """Check that a config has only keys and values that gdexp writes.

    Raises:
        BadInput: names the first unknown key, code, interpolation or other wrong value.
    """
    for key, value in _leaves(stored, ""):
        _check_value(key, value)
    for name in stored:
        if name not in OUTCOME_KEYS:
            raise BadInput(str(name), "", f"unknown key; {nearest(str(name), OUTCOME_KEYS)}")
    for name in OUTCOME_KEYS:
        if name not in stored and name in ADDED_KEYS:
            continue
        if name not in stored:
            raise BadInput(name, "", "is missing in the run's config.yaml")
        if isinstance(stored[name], Mapping) != (name in GROUPS):
            wanted = "a group of keys" if name in GROUPS else "a single value"
            raise BadInput(name, stored[name], f"must be {wanted}")
    name = stored["problem"].get("name")
    known = [*PROBLEMS, *OF_USER]
    if name not in known:
        raise BadInput("problem.name", name, nearest(str(name), known))
    _check_torch(stored["optimizer"])


def _leaves(value: object, key: str) -> Iterator[tuple[str, object]]:
    """Yield every value with its full key; check the names of the keys."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str) or not name.isidentifier():
                raise BadInput(key or "config", printable_line(str(name)), "is no name of a key")
            path = f"{key}.{name}" if key else name
            if name.startswith("_"):
                shown = printable_line(str(item))
                raise BadInput(
                    path, shown, "code by name; a stored config is data, and none of it is run"
                )
            yield from _leaves(item, path)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, key)
    else:
        yield key, value


def _check_value(key: str, value: object) -> None:
    if isinstance(value, str):
        if "${" in value:
            raise BadInput(
                key,
                printable_line(value),
                "an interpolation; a stored config is data, none is resolved",
            )
        if MASK in value:
            raise BadInput(
                key, value, "was taken out as a secret; without it the run cannot be made again"
            )
        if not value.isprintable():
            raise BadInput(key, printable_line(value), "must be one printable line")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise BadInput(key, value, "must be a finite number")
    elif isinstance(value, int):
        if abs(value) >= 2**63:
            digits = len(str(abs(value))) if abs(value) < 10**4000 else "thousands of"
            raise BadInput(key, f"an integer of {digits} digits", "must be below 2^63")
    elif value is not None:
        raise BadInput(key, type(value).__name__, "must be a number, a text, true, false or null")


def _check_torch(optimizer: Config) -> None:
    """Check the class's name; an import path is checked against `trust` when it is used."""
    if optimizer.get("name") != "torch":
        return
    name = optimizer.get("class_name", "SGD")
    if name not in TORCH_CLASSES and not (isinstance(name, str) and "." in name):
        raise BadInput("optimizer.class_name", name, nearest(str(name), TORCH_CLASSES))
    for key, value in _leaves(optimizer.get("options"), "optimizer.options"):
        if isinstance(value, int) and abs(value) > MOST_OPTION:
            raise BadInput(key, value, f"must be at most {MOST_OPTION:,} in a stored config")


def _check_size(problem: Config, numbers: int | None) -> None:
    """Check that the problem is not too large and has the size of the recorded start."""
    key, size = _variables(problem)
    if size is None:
        return
    if numbers is None and size > MOST_NUMBERS:  # a recorded start was read: it bounds them
        raise BadInput(
            f"problem.{key}",
            problem.get(key),
            f"more than {MOST_NUMBERS:,} numbers in a stored config",
        )
    if numbers is not None and size != numbers:
        raise BadInput(
            f"problem.{key}",
            problem[key],
            f"asks for {size:,} variables, and the recorded start holds {numbers:,}",
        )


def _variables(problem: Config) -> tuple[str, int | None]:
    """Return the key that sets the number of variables, and the number; None if no key does."""
    name = problem["name"]
    if name in ("quadratic", "rastrigin", "bbob") and problem.get("spectrum") is None:
        return "dimension", _integer(problem.get("dimension"))
    if name == "function":
        widths = problem.get("hidden")
        if not isinstance(widths, list) or not all(_integer(width) for width in widths):
            return "hidden", None
        points = _integer(problem.get("points")) or DEFAULT_POINTS
        if points * max(widths, default=0) > MOST_NUMBERS:
            return ("points" if problem.get("points") else "hidden"), points * max(widths)
        layers = [1, *widths, 1]
        return "hidden", sum(b * (a + 1) for a, b in pairwise(layers))
    if name == CUSTOM and problem.get("shape") is not None:
        shape = problem["shape"] if isinstance(problem["shape"], list) else [problem["shape"]]
        sizes = [_integer(each) for each in shape]
        return "shape", None if None in sizes else math.prod(each or 0 for each in sizes)
    return "", None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
