"""Losses that are printed while a descent goes on."""

from __future__ import annotations

import io
from array import array
from itertools import pairwise

import pytest
from rich.console import Console

from gdexp.display.loss_lines import QUIET_SECONDS, LossPrinter


@pytest.mark.parametrize("seconds", [3.0, 1e-3])
def test_a_log_has_a_line_every_few_seconds_however_long_an_iteration_takes(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("gdexp.display.loss_lines.time.monotonic", lambda: now[0])
    out = io.StringIO()
    times, count = [], 0
    with LossPrinter(Console(file=out, width=80), 1e-5, 0.0) as losses:
        trace, call_at = array("d"), 0
        for k in range(200 if seconds > 1 else 100_000):
            now[0] += seconds
            trace.append(1.0 / (k + 1))
            if k == call_at:
                call_at = losses(k, trace)
            if (lines := out.getvalue().count("\n")) > count:
                count = lines
                times.append(now[0])
    gaps = [after - before for before, after in pairwise(times)]
    assert max(gaps) <= QUIET_SECONDS + max(2 * seconds, 1.0)


def test_each_reading_stands_beside_the_loss_of_its_own_iteration() -> None:
    out = io.StringIO()
    with LossPrinter(Console(file=out, width=80), 0.9, 0.0, metric="accuracy") as losses:
        trace = array("d")
        for k in range(25):  # as a training does: a metric of the weights after k updates, a loss
            if k % 24 == 0:
                losses.reading(k, {"accuracy": 0.5 + k / 100}, 0.0)
            trace.append(2.0 / (k + 1))
            losses(k, trace)
        losses.reading(25, {"accuracy": 0.95}, 0.0)
        losses.close((24, trace[-1]))
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines[1] == ["0", "2", "0.5"]
    assert lines[2] == ["1", "1"]
    assert lines[-2:] == [["24", "0.08", "0.74"], ["25", "0.95"]]
