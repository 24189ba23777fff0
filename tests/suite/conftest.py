"""A small benchmark that is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.core.paths import keep_folder
from gdexp.suite.driver import Benchmark
from gdexp.suite.outcome import Outcome
from gdexp.suite.settings import BenchmarkSettings

SMALL = {
    "rules": ("gd", {"name": "armijo", "lr": 1.0}),
    "functions": (1, 8),
    "dimensions": (2, 5),
    "instances": (1, 2),
    "starts": 2,
    "rates": "swept",
    "rate_low": 1e-4,
    "rate_high": 1.0,
    "rate_starts": 2,
    "budget": 50,
}


def quiet(part: str, done: int, total: int) -> None:
    """Say nothing."""


def made_in(folder: Path, **changes: object) -> Benchmark:
    """The small benchmark in a folder, perhaps with other settings."""
    with keep_folder(folder):
        return Benchmark(BenchmarkSettings(**{**SMALL, **changes}), seed=7)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Benchmark, Outcome]:
    """The small benchmark and its outcome."""
    benchmark = made_in(tmp_path_factory.mktemp("benchmark"))
    return benchmark, benchmark.run(quiet).outcome
