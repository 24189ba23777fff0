"""The budget of a trial (`sweep.budget`): iterations, epochs or seconds."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from gdexp.core import BadInput

UNITS = {
    "max_iterations": ("iterations", "iteration", "updates", "steps"),
    "max_epochs": ("epochs", "epoch"),
    "max_seconds": ("seconds", "second", "sec", "s"),
}
"""Keys of `stopping`, each with the names of its unit."""

FORM = re.compile(r"\s*([0-9][0-9_]*(?:\.[0-9]*)?(?:e[+]?[0-9]+)?)\s*([a-z]*)\s*", re.IGNORECASE)
ALLOWED = "must be a number of iterations, or with a unit: 20epochs, 60s"


class Budget(NamedTuple):
    """What one trial may use.

    Attributes:
        key: of `stopping`, which it sets.
        amount: an integer, or seconds.
    """

    key: str
    amount: int | float

    @classmethod
    def parse(cls, given: object) -> Budget | None:
        """Read a number of iterations, or a text with a unit; None is no budget.

        Raises:
            BadInput: it is none of these.
        """
        if given is None:
            return None
        text = str(given) if isinstance(given, int | float | str) else ""
        match = None if isinstance(given, bool) else FORM.fullmatch(text)
        if match is None:
            raise BadInput("budget", given, ALLOWED)
        unit = match[2].lower() or "iterations"
        key = next((key for key, names in UNITS.items() if unit in names), None)
        amount = float(match[1])
        if key is None or not math.isfinite(amount) or not amount > 0:
            raise BadInput("budget", given, ALLOWED)
        if key == "max_seconds":
            return cls(key, amount)
        if not amount.is_integer():
            raise BadInput("budget", given, f"must be a whole number of {UNITS[key][0]}")
        return cls(key, int(amount))

    @property
    def iterations(self) -> int | None:
        """The iterations; None where it is another budget."""
        return int(self.amount) if self.key == "max_iterations" else None

    def __str__(self) -> str:
        unit = UNITS[self.key][0]
        return f"{self.amount:,} {unit}" if isinstance(self.amount, int) else f"{self.amount:g} s"
