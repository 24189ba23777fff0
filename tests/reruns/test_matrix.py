"""Every shipped problem × every rule, in all ways to end, rerun in a new process: identical."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gdexp.descent.stopping import Status
from gdexp.optimizers.registry import RULES
from gdexp.problems.registry import PROBLEMS
from tests.support.commands import gdexp

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ENDS = [
    *(Status.CONVERGED, Status.MAX_ITERATIONS, Status.DIVERGED),
    *(Status.STALLED, Status.CAPPED),
]
"""The ends of descents that nobody outside ends."""


def apart(command: str, place: Path) -> str:
    """What a process of its own prints."""
    line = [command, str(place), "0", "1"]
    return gdexp(*line, cwd=ROOT, module="tests.reruns.matrix", quick=False).stdout


def test_every_rerun_is_identical(tmp_path: Path) -> None:
    apart("make", tmp_path)
    told = json.loads(apart("again", tmp_path))
    assert told["exceptions"] == []
    assert set(told["verdicts"]) == {"identical"}
    assert told["verdicts"]["identical"] > len(PROBLEMS) * len(RULES)
    assert set(told["statuses"]) == set(map(str, ENDS))
