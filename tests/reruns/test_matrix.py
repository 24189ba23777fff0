"""Every shipped problem × every rule, in all ways to end, rerun in a new process: identical."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gdexp.descent.stopping import Status
from gdexp.optimizers.registry import RULES
from gdexp.problems.registry import PROBLEMS
from tests.support.commands import environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PARTS = 1
ENDS = [
    *(Status.CONVERGED, Status.MAX_ITERATIONS, Status.DIVERGED),
    *(Status.STALLED, Status.CAPPED),
]
"""The ends of descents that nobody outside ends."""


def together(command: str, place: Path) -> list[str]:
    """What the processes print that share the cases among them."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.reruns.matrix", command, place, str(part), str(PARTS)],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for part in range(PARTS)
    ]
    said = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * PARTS, said
    return [out for out, _ in said]


def test_every_rerun_is_identical(tmp_path: Path) -> None:
    together("make", tmp_path)
    verdicts: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    for out in together("again", tmp_path):
        told = json.loads(out)
        assert told["exceptions"] == []
        verdicts.update(told["verdicts"])
        statuses.update(told["statuses"])
    assert set(verdicts) == {"identical"}
    assert verdicts["identical"] > len(PROBLEMS) * len(RULES)
    assert set(statuses) == set(map(str, ENDS))
