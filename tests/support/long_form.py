"""Which cases a test makes: all of them in the long form, a share of them in every run.

`scripts/bench tests` runs the tests in the long form.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

VARIABLE = "GDEXP_LONG_TESTS"
"""The environment variable that asks for the long form by the value 1."""


def share(cases: int, parts: int = 4) -> int:
    """Return the number of cases: all in the long form, else one of so many parts, at least one."""
    return cases if _is_long() else max(1, cases // parts)


def some(cases: Sequence[T], parts: int = 4) -> Sequence[T]:
    """Return the cases: all in the long form, else one of so many neighbours.

    Where they are all pairs of two lists, and the second has no common factor with `parts`, each
    member of both lists is in a pair.
    """
    return cases if _is_long() else cases[::parts]


def _is_long() -> bool:
    return os.environ.get(VARIABLE) == "1"
