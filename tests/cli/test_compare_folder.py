"""The folder of a report: one that holds something else is left as it is."""

from __future__ import annotations

from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gdexp import BadInput
from gdexp.cli.compare import REPORT, _write
from gdexp.comparison.html_report import POLICY

RUNS: Any = SimpleNamespace(runs=[SimpleNamespace(run_id="a" * 32, short="a" * 8)])


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
