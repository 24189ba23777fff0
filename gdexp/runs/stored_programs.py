"""Find the stored program of a portable descent that its own run does not hold."""

from __future__ import annotations

from gdexp.engine import MOST_STORED
from gdexp.runs.artifact_reader import MissingFile, UnreadableRun
from gdexp.runs.tracked_run import TrackedRun
from gdexp.tracking import program_name

MOST_ABOVE = 3
"""Runs above one another: of a seed, its trial and the sweep."""


def program_bytes(run: TrackedRun, sha256: str) -> bytes:
    """Read the file of a program among the artifacts of the runs above a run.

    The caller checks that its content has the sha256.

    Args:
        run: the run of the descent.
        sha256: of the program, 64 hex digits.

    Raises:
        UnreadableRun: the file is missing, too large or no regular file.
    """
    name, above = program_name(sha256), run.above()
    for _ in range(MOST_ABOVE):
        if above is None:
            break
        try:
            return above.file_bytes(name, MOST_STORED)
        except MissingFile:
            above = above.above()
    raise UnreadableRun(f"no run above it holds {name}")
