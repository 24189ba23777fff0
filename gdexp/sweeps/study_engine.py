"""The engine of a sweep's trials: one for all of them, or each trial's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from gdexp.config import ADDED_KEYS
from gdexp.experiment import Experiment

ENGINE = "engine"
MOST_REASONS = 5
"""Reasons that are shown."""

KEPT = "the study began with it"


class StudyEngine(NamedTuple):
    """What `engine=auto` was resolved to, or what was asked for.

    Attributes:
        name: `torch` or `portable`, which all trials have; `auto`: each trial takes its own.
        reasons: why `engine=auto` takes torch, each with the values that all its trials share.
    """

    name: str
    reasons: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, examples: Iterable[tuple[Mapping[str, Any], Experiment]]) -> StudyEngine:
        """Return the engine of trials that are like these examples.

        Args:
            examples: each with its values.
        """
        names, reasons = set(), dict[str, dict[str, Any]]()
        for values, experiment in examples:
            names.add(str(experiment.config.get(ENGINE, ADDED_KEYS[ENGINE])))
            if experiment.engine_reason is not None:
                shared = reasons.setdefault(experiment.engine_reason, dict(values))
                for key in [key for key in shared if shared[key] != values.get(key)]:
                    del shared[key]
        name = names.pop() if len(names) == 1 else "auto"
        return cls(name, tuple((_text(values), reason) for reason, values in reasons.items()))

    def text(self) -> str:
        """Return the engine, and why it is torch, in lines."""
        shown, more = self.reasons[:MOST_REASONS], len(self.reasons) - MOST_REASONS
        lines = ["portable"] if self.name == "auto" else []
        for values, reason in shown:
            which = f" with {values or 'others'}" if self.name == "auto" else ""
            lines.append(f"torch{which}: {reason}")
        return "\n".join([*(lines or [self.name]), *([f"and {more} more"] if more > 0 else [])])


def _text(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def engine_in(definition: Mapping[str, Any]) -> str:
    """Return the engine in a study's definition."""
    return str(definition.get("config", {}).get(ENGINE, ADDED_KEYS[ENGINE]))
