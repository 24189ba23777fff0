"""`+problems`: what is printed of each problem is true of it."""

from __future__ import annotations

import re

import pytest

from gdexp import GradientDescent, Stopping, descend
from gdexp.cli.main import main
from gdexp.problems.landscapes import Himmelblau
from gdexp.theory.settings import stability_limit


@pytest.mark.slow
def test_a_limit_of_one_minimum_among_several_is_marked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["+problems"]) == 0
    said = capsys.readouterr().out
    limits = {line.split()[0]: line.split()[-1] for line in said.splitlines() if line.split()}
    marked = {name for name, limit in limits.items() if re.fullmatch(r"[\d.]+\*", limit)}
    assert marked == {"himmelblau", "hyperbola"}
    assert "A limit with * is that of one minimum" in " ".join(said.split())


@pytest.mark.slow
def test_above_himmelblaus_limit_descents_still_reach_another_minimum() -> None:
    problem = Himmelblau(x0=[-2.8, 3.1])
    limit = stability_limit(problem, GradientDescent())
    assert limit is not None
    rule = GradientDescent(lr=1.01 * limit)
    assert descend(problem, rule, Stopping(1e-10), dtype="float64").converged
