"""Descents, single or in a batch, on the portable engine."""

from gdexp.descent.portable.choice import (
    check_engine,
    find_plan,
    kind_of_rule,
    refusal,
)
from gdexp.descent.portable.public import portable_batch, portable_result
from gdexp.descent.portable.stored import RecordedHere, misfit, recorded_here

__all__ = [
    "RecordedHere",
    "check_engine",
    "find_plan",
    "kind_of_rule",
    "misfit",
    "portable_batch",
    "portable_result",
    "recorded_here",
    "refusal",
]
