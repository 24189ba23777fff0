"""The folder of a report: one that holds something else is left as it is."""

from __future__ import annotations

import csv
import json
import re
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gdexp import BadInput, load_runs
from gdexp.cli import main
from gdexp.cli.compare import REPORT, _write
from gdexp.comparison.html_report import POLICY

RUNS: Any = SimpleNamespace(runs=[SimpleNamespace(run_id="a" * 32, short="a" * 8)])


@pytest.mark.slow
def test_a_report_is_written_again_and_files_of_the_users_are_not_changed(here: Path) -> None:
    folder = here / "compare" / ("a" * 8)
    files = {REPORT: f'<meta content="{escape(POLICY)}">'.encode(), "one.png": b"new"}
    assert _write(RUNS, files) == _write(RUNS, files) == f"compare/{'a' * 8}/{REPORT}"
    assert (folder / "one.png").read_bytes() == b"new"
    for mine in ({"one.png": "mine"}, {"one.png": "mine", REPORT: "my own page"}):
        for path in folder.iterdir():
            path.unlink()
        for name, content in mine.items():
            (folder / name).write_text(content)
        with pytest.raises(BadInput, match=r"holds no report\.html of gdexp; move it elsewhere"):
            _write(RUNS, files)
        assert {path.name: path.read_text() for path in folder.iterdir()} == mine


@pytest.mark.slow
def test_the_numbers_of_a_comparison_are_csv_and_json(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = []
    for line in ("optimizer.lr=1", "optimizer.lr=4.5", "optimizer.lr=10"):
        assert main([line, "stopping.max_iterations=2000"]) == 0
        ids += re.findall("MLflow run ([0-9a-f]{32})", capsys.readouterr().out)
    assert main([f"+compare=[{','.join(ids)}]", "compare.thresholds=[1e-3,1e-6]"]) == 0
    (folder,) = (here / "compare").iterdir()
    with (folder / "runs.csv").open() as file:
        runs = list(csv.DictReader(file))
    assert [row["run_id"] for row in runs] == [ids[1], ids[0], ids[2]]  # best first
    assert [row["status"] for row in runs] == ["converged", "converged", "diverged"]
    assert [row["optimizer.lr"] for row in runs] == ["4.5", "1", "10"]
    assert [row["name"] for row in runs] == [f"matrix gd lr={lr}" for lr in ("4.5", "1", "10")]
    assert runs[1]["largest_distance"] == "0.0"  # the first that is named is the reference
    with (folder / "thresholds.csv").open() as file:
        rows = {(row["run_id"], float(row["threshold"])): row for row in csv.DictReader(file)}
    assert len(rows) == 9  # the runs' own threshold is one of three
    kept = {run.run_id: run for run in load_runs(ids)}
    for (run_id, threshold), row in rows.items():
        time, bound = kept[run_id].hitting_time(threshold), kept[run_id].at_least(threshold)
        assert row["hitting_time"] == ("" if time is None else repr(time))
        assert row["at_least"] == ("" if bound is None else str(bound))
    whole = json.loads((folder / "comparison.json").read_text())
    assert whole["best"] == ids[1]
    assert whole["answer"].startswith(
        f"Run {ids[1][:8]} needs the fewest iterations of 3 runs: 1, "
    )
    assert [row["run_id"] for row in whole["runs"]] == [row["run_id"] for row in runs]
    assert whole["runs"][2]["metrics"]["final_loss"] == "inf"  # MLflow has the largest double
    assert len(whole["thresholds"]) == 9
