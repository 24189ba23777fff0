"""What the tests of reruns share: a command in this process, and what it said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gdexp.cli.main import main


@dataclass(frozen=True)
class Said:
    """What a command printed.

    Attributes:
        out: on stdout, runs of blanks and line breaks as one blank.
        raw: on stdout as it stands.
        error: the one line on stderr without `gdexp: error:`; empty where there is none.
    """

    out: str
    raw: str
    error: str


Ask = Callable[..., Said]


@pytest.fixture
def ask(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """`ask("+rerun=…", status=4)` runs gdexp in an empty folder and checks its exit status."""
    monkeypatch.setenv("COLUMNS", "80")

    def asked(*arguments: str, status: int = 0) -> Said:
        capsys.readouterr()
        ended = main(list(arguments))
        printed = capsys.readouterr()
        assert ended == status, f"{ended}\n{printed.out}\n{printed.err}"
        lines = printed.err.splitlines()
        if "rerun.format=json" in arguments:  # what is for people stands on stderr
            lines = [line for line in lines if line.startswith("gdexp: ")]
        assert len(lines) <= 1, printed.err
        assert all(line.startswith("gdexp: error: ") for line in lines)
        assert "".join(lines).isprintable()
        error = "".join(lines).removeprefix("gdexp: error: ")
        return Said(" ".join(printed.out.split()), printed.out, error)

    return asked
