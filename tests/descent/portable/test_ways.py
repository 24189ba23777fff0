"""Random descents have the same bits in native code and interpreted, alone and in a batch."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.benchmarks.bits import Group, differing_bits
from tests.support import names

PORTABLE = [name for name in names.PROBLEMS if name != "factorization"]
OTHERS = ["function gaussian", "function polynomial", "activation gelu", "activation softplus"]
OTHERS += ["activation log_softmax", "loss cross_entropy", "loss bce", "loss huber", "rotated"]


@pytest.mark.slow
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([*PORTABLE, *OTHERS]),
    st.sampled_from([*names.BATCHABLE_RULES, "armijo"]),
    st.sampled_from(names.SCHEDULES),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**31),
)
def test_all_ways_give_the_same_bits(
    problem: str, rule: str, schedule: str, dtype: str, seed: int
) -> None:
    found = differing_bits(Group(problem, rule, schedule, dtype, 5, seed))
    assert found == dict.fromkeys(found, 0)
    assert len(found) == 3
