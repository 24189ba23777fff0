"""How many cases a test makes: all of them in the long form, a share of them in every run.

`scripts/bench tests` runs the tests in the long form.
"""

from __future__ import annotations

import os

VARIABLE = "GDEXP_LONG_TESTS"
"""The environment variable that asks for the long form by the value 1."""


def share(cases: int, parts: int = 4) -> int:
    """Return the number of cases: all in the long form, else one of so many parts, at least one."""
    return cases if os.environ.get(VARIABLE) == "1" else max(1, cases // parts)
