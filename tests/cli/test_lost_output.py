"""Standard output that cannot be written: one line, status 74; a reader that left is no error.

What the user's code does to the streams takes nothing away from the command.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest

from gdexp import load_runs
from gdexp.cli import main
from tests.support.commands import gdexp

FULL = Path("/dev/full")
COMMANDS = [["--help"], ["--version"], ["+problems"], ["+problems", "output=json"]]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("line", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
def test_a_full_disk_of_standard_output_is_said_in_one_line(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: list[str],
    buffered: bool,
) -> None:
    with FULL.open("w") as full:
        full.reconfigure(write_through=not buffered)
        monkeypatch.setattr(sys, "stdout", full)
        assert main(line) == 74
        monkeypatch.undo()
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("gdexp: error: ")
    assert "disk is full" in last or "No space left" in last


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_a_reader_that_left_does_not_end_the_help_with_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as left:
        monkeypatch.setattr(sys, "stdout", left)
        assert main([option]) == 0
        monkeypatch.undo()
    assert capsys.readouterr().err == ""


CLOSING = """
import os
import sys

import gdexp


def fit(how="closes", threshold=0.1):
    if how == "closes":
        sys.stdout.close()
    if how == "diverts":
        sys.stdout = open("own.txt", "w")
    if how == "detaches":
        sys.stdout.detach()
    if how == "removes":
        sys.stdout = None
    if how == "shuts":
        os.close(1)
    if how == "silences":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if how == "mutes":
        sys.stderr.close()
    yield {"loss": 0.0}
"""
LOOP = ("problem=loop", "problem.path=closing.fit")


@pytest.mark.slow
def test_a_report_is_printed_whatever_the_users_code_does_to_the_streams(here: Path) -> None:
    (here / "closing.py").write_text(CLOSING)
    ways = "closes,diverts,detaches,removes,shuts,silences,mutes,fails"
    done = gdexp("+sweep=grid", *LOOP, f"problem.arguments.how=choice({ways})", cwd=here)
    assert "trials 8: 8 converged" in " ".join(done.stdout.split())
    assert "compareRunsMode" in done.stdout.splitlines()[-1]
    said = gdexp(*LOOP, "output=json", cwd=here)
    assert json.loads(said.stdout)["status"] == "converged"
    assert "python -m gdexp +sweep" in said.stderr


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_closed_stream_without_a_descriptor_is_said_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    (here / "closing.py").write_text(CLOSING.replace("sys.stdout.close", "sys.__stdout__.close"))
    with monkeypatch.context() as patch:
        stream = io.StringIO()
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "__stdout__", stream)
        assert main([*LOOP, f"output={output}"]) == 74
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "gdexp: error: standard output cannot be written: the user's code closed it"
    assert [each.status for each in load_runs()] == ["converged"]
