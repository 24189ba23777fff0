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
