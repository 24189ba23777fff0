"""An update rule that takes part in a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gdexp.core import BadInput
from gdexp.optimizers import SearchingRule, UpdateRule, build_rule


@dataclass(frozen=True)
class Entry:
    """A rule with its settings, perhaps without its learning rate.

    Attributes:
        label: its name in tables, such as `adam` or `momentum(momentum=0.99)`.
        group: the config group `optimizer`.
        swept: whether its learning rate is swept: it has one, and none is given.
    """

    label: str
    group: Mapping[str, Any]
    swept: bool

    @property
    def makes_trials(self) -> bool:
        """Whether it evaluates points that are no iterates."""
        rule = self.rule(None)
        return isinstance(rule, SearchingRule) and rule.rejects

    @classmethod
    def of(cls, given: object) -> Entry:
        """Return the entry of a name or of a group.

        Raises:
            BadInput: there is no such rule, or it refuses a value.
        """
        group = {"name": given} if isinstance(given, str) else given
        if not isinstance(group, Mapping):
            raise BadInput("rules", given, "must be names, or groups such as {name: adam}")
        try:
            rule = build_rule(group)
        except BadInput as error:
            key = f"rules.{error.key.removeprefix('optimizer.')}"
            raise BadInput(key, error.value, error.allowed) from None
        others = [f"{key}={_text(value)}" for key, value in group.items() if key != "name"]
        label = str(group["name"]) + (f"({', '.join(others)})" if others else "")
        return cls(label, dict(group), hasattr(rule, "lr") and "lr" not in group)

    def rule(self, rate: float | None) -> UpdateRule:
        """Return the rule with a learning rate; None: it has none that is swept."""
        return build_rule(self.group if rate is None else {**self.group, "lr": rate})


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        if [*value] == ["name"]:
            return str(value["name"])
        return "{" + ", ".join(f"{key}: {_text(each)}" for key, each in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)
