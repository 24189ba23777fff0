"""Standard output that cannot be written: one line, status 74; a reader that left is no error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gdexp.cli import main

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
