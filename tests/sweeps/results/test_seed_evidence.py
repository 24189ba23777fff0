"""What a sweep with several seeds says of its winner, in all its forms."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.sweeps.study.trial_record import TrialRecord
from tests.sweeps.test_resume import finished

LINE = ["+sweep=grid", "sweep.name=s", "optimizer.lr=4,4.4,4.41,6", "tracking.points=10"]


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
def test_ten_seeds_give_intervals_in_the_table_the_file_and_the_answer(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [*LINE, "sweep.seeds=10"]
    assert main([*line]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "95 % interval" in shown
    assert main([*line, "output=json"]) == 0
    found = answer(capsys)
    evidence = found["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["method"] == "bootstrap"
    assert evidence["text"].split(";")[0] in shown
    records = [TrialRecord.of(trial) for trial in finished(here)]
    rows = [evidence["best"], *evidence["others"]]
    assert len(rows) == 4
    for row in rows:
        assert row["expected"] == records[row["trial"]].hitting_time
        assert row["low"] <= row["expected"] <= row["high"]
    [picture] = here.rglob("iterations_by_lr.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    [file] = here.rglob("evidence.csv")
    stored = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [int(row["trial"]) for row in stored] == [row["trial"] for row in rows]
    assert [float(row["high"]) for row in stored] == [row["high"] for row in rows]


@pytest.mark.slow
def test_three_seeds_say_that_they_are_too_few(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*LINE, "sweep.seeds=3"]) == 0
    assert "3 seeds cannot tell trials apart" in " ".join(capsys.readouterr().out.split())
