"""The import paths of the user's own code that a config names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gdexp.core import is_given, not_rerunnable, printable_line

_KEYS = ("path", "class_name", "lr_lambda", "scale_fn")
"""Keys of the group `optimizer`, also deep inside it, whose values with a dot are import paths."""

_NUMBERS = (float, int, bool)


def import_paths(config: Mapping[str, Any]) -> list[str]:
    """Return the import paths of a config: of its problem, then of its optimizer and schedule.

    Args:
        config: any part of it may be malformed.
    """
    problem = config.get("problem")
    path = problem.get("path") if isinstance(problem, Mapping) else None
    own = [path] if isinstance(path, str) else []
    return list(dict.fromkeys([*own, *optimizer_paths(config.get("optimizer"))]))


APPLICATION = "hydra"
"""The value of `problem.name` of a trial that another Hydra application makes."""


def why_not_rerunnable(config: Mapping[str, Any], run: str = "RUN_ID") -> str | None:
    """Return why the run of a config cannot be repeated as it stands, and how it can; else None.

    Args:
        config: any part of it may be malformed.
        run: the id of the run.
    """
    problem = config.get("problem")
    if isinstance(problem, Mapping) and problem.get("name") == APPLICATION:
        command = printable_line(str(problem.get("repeat")))
        return f"a trial of another application; repeat it with: {command}"
    given = [path for path in import_paths(config) if is_given(path)]
    if not given:
        return None
    of_optimizer = optimizer_paths(config.get("optimizer"))
    return not_rerunnable(given[0], run, "optimizer" if given[0] in of_optimizer else "problem")


def optimizer_paths(group: object) -> list[str]:
    """Return the import paths of a config group `optimizer`.

    Args:
        group: any part of it may be malformed.
    """
    return list(dict.fromkeys(_paths(group))) if isinstance(group, Mapping) else []


def _paths(group: Mapping[str, Any]) -> Iterator[str]:
    for key, value in group.items():
        if value is None or type(value) in _NUMBERS:  # most values, and the quickest test
            continue
        if type(value) is str:
            if key in _KEYS and "." in value:
                yield value
            continue
        members = value if isinstance(value, list | tuple) else [value]
        if key in _KEYS:
            yield from (each for each in members if isinstance(each, str) and "." in each)
        for each in members:
            if isinstance(each, Mapping):
                yield from _paths(each)
