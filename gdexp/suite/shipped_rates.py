"""The learning rates that were swept for the published table."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

FILE = "rates.csv"
HEADINGS = ("rule", "dimension", "function", "rate", "common_rate")


class Rates(NamedTuple):
    """The rates of a cell.

    Attributes:
        function: the best for the function.
        common: the best single rate for all functions of the dimension.
    """

    function: float
    common: float


@cache
def shipped_rates() -> Mapping[tuple[str, int, int], Rates]:
    """Return the rates by rule, function and dimension.

    They are stored because every sweep of them takes longer than the table itself.
    """
    text = resources.files("gdexp.suite").joinpath(FILE).read_text(encoding="utf-8")
    return {
        (row["rule"], int(row["function"]), int(row["dimension"])): Rates(
            float(row["rate"]), float(row["common_rate"])
        )
        for row in csv.DictReader(text.splitlines())
    }
