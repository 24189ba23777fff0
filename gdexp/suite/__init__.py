"""Benchmarks: update rules over the functions of COCO's bbob suite, judged as COCO judges them."""

from gdexp.suite.driver import REPORT, Benchmark
from gdexp.suite.report import HEADINGS, solver_table
from gdexp.suite.settings import BenchmarkSettings

__all__ = [
    "HEADINGS",
    "REPORT",
    "Benchmark",
    "BenchmarkSettings",
    "solver_table",
]
