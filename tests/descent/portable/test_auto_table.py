"""What `engine=auto` takes for every shipped problem, update rule and dtype.

`tests/data/auto_engines.csv` is the table. `python -m tests.descent.portable.test_auto_table`
writes it again.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import torch

from gdexp import Problem
from gdexp.descent.resolved_engine import resolve_engine
from gdexp.optimizers import registry as rules
from gdexp.problems import registry
from tests.support.names import BATCHABLE_RULES, PROBLEMS

TABLE = Path(__file__).parents[2] / "data/auto_engines.csv"
RULES = (*BATCHABLE_RULES, "torch")
"""The others have the same engine: a plan's size depends on the loss alone."""

DTYPES = ("float32", "float64", "float16", "bfloat16")


def table() -> str:
    """Return the table: one line for each problem and rule, one column for each dtype."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(["problem", "rule", *DTYPES])
    for name in PROBLEMS:
        problem = registry.PROBLEMS[name]()
        for rule in RULES:
            lines.writerow([name, rule, *(taken(problem, rule, dtype) for dtype in DTYPES)])
    return text.getvalue()


def taken(problem: Problem, rule: str, dtype: str) -> str:
    """Return the engine that `auto` takes; with torch the reason."""
    given = problem, rules.RULES[rule](), problem.start(0), getattr(torch, dtype)
    engine, reason = resolve_engine(*given, torch.device("cpu"), "auto")
    return "portable" if reason is None else f"{engine}: {reason}"


@pytest.mark.slow
def test_auto_takes_what_the_table_says() -> None:
    assert table() == TABLE.read_text()


def test_portable_is_taken_for_all_but_what_has_no_form_or_is_large() -> None:
    with TABLE.open() as lines:
        rows = list(csv.DictReader(lines))
    assert {(row["problem"], row["rule"]) for row in rows} == {
        (problem, rule) for problem in PROBLEMS for rule in RULES
    }
    for row in rows:
        for dtype in ("float16", "bfloat16"):
            assert row[dtype] == f"torch: {dtype} has no portable form"
        for dtype in ("float32", "float64"):
            if row["rule"] == "torch":
                assert row[dtype] == "torch: TorchOptimizer has no portable form"
            elif row["problem"] == "factorization":
                assert row[dtype].startswith("torch: an array of 575,040 numbers")
            else:
                assert row[dtype] == "portable"


if __name__ == "__main__":
    TABLE.write_text(table())
