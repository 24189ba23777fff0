"""The shipped digests of portable descents are those of descents that are made here and now.

All of them in all ways take minutes (`scripts/bench bits`, and `scripts/bench tests`). Every run
makes one of 40 parts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.benchmarks.portable_bits import Way, bits, planned
from scripts.benchmarks.portable_cases import DTYPES, cases, rules
from scripts.benchmarks.portable_hashes import PARTS, differing, made, part, shipped
from tests.support.long_form import share

PROJECT = Path(__file__).parents[3]

PLAIN_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "default",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
}
"""Torch's, oneDNN's, MKL's and the C library's code for a processor without AVX2 and FMA."""


def some() -> list[str]:
    """Return the descents that are made in every run; in the long form all."""
    return [name for number in range(share(PARTS, 40)) for name in part(number)]


def test_every_kind_of_descent_is_shipped() -> None:
    names = shipped()
    assert set(names) == set(cases())
    assert len(names) >= 300
    for dtype in DTYPES:
        for words in ("function of 1,000 points", "rotated quadratic of 100", "diverged"):
            assert f"{words} {dtype}" in names
        for rule in rules(1.0):
            assert f"function {rule} {dtype}" in names


@pytest.mark.slow
def test_native_code_for_this_processor_has_the_shipped_bits() -> None:
    assert differing(made(some())) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [("host", 2, 7), ("baseline", 1, 1), ("interpreted", 1, 7)],
    ids=["host, 2 threads, 7 rows", "baseline, 1 row", "interpreted, 7 rows"],
)
def test_every_other_way_has_them_too(way: tuple[str, int, int]) -> None:
    known = shipped()
    code = ("host", "baseline", "interpreted").index(way[0])
    for name in some()[code::3]:
        case = cases()[name]
        assert planned(case).plan.sha256 == known[name][0], name
        assert bits(case, Way(*way)).digests == known[name][1:], name


@pytest.mark.slow
def test_a_plain_processor_has_them_too() -> None:
    names = ["function of 1,000 points float32", "rotated quadratic of 100 float64"]
    names += ["ols adam float64"]
    command = [sys.executable, "-m", "benchmarks.portable_hashes", *names]
    path = os.pathsep.join([str(PROJECT), str(PROJECT / "scripts")])
    environment = {**os.environ, **PLAIN_PROCESSOR, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == {"made": len(names), "differing": {}}
