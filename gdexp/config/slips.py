"""What was meant by a word that is neither KEY=VALUE, nor a command, nor an option."""

from __future__ import annotations

import difflib
import re

from gdexp.config.keys import COMMANDS, KEYS
from gdexp.core import nearest

PROGRAMS = {
    "ui": "scripts/ui shows the runs in MLflow (or: python -m gdexp.ui)",
    "test": "scripts/test runs the tests",
    "bench": "scripts/bench lists the benchmarks",
    "run": "without a command one descent is run: python -m gdexp",
    "help": "write --help",
    "version": "write --version",
}
"""Words that people type for other programs, each with what to type in its place."""

TAKES_RUNS = ("rerun", "compare", "export")


def bare_word(word: str) -> str | None:
    """Return what to write in place of a word without `=`; None where nothing is near.

    Args:
        word: as typed, with or without `--` or `+` before it.
    """
    name = word.lstrip("-+").lower()
    if name in PROGRAMS:
        return PROGRAMS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.7)
    return f"did you mean {_written(near[0])}?" if near else None


def option(name: str, value: str, options: list[str]) -> str:
    """Return what to write in place of an unknown option.

    Args:
        name: as typed, `--lr` or `--sweep`.
        value: after its `=`, if any.
        options: the valid ones.
    """
    key = name.lstrip("-").replace("-", "_")
    meant = bare_word(key)
    if meant is not None and not value:
        return meant
    if value or key.partition(".")[0] in KEYS:
        return f"keys have no dashes; write {key}={value or 'VALUE'}"
    return nearest(name, options)


def group(key: str) -> str | None:
    """Return the group or command that a key without a dot was meant to be; None if none is near.

    `optimiser=adam` means `optimizer=adam`, and not a key inside that group.
    """
    if not re.fullmatch(r"\w+", key):
        return None
    near = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=0.75)
    if not near or near[0] == key:
        return None
    return f"did you mean {'+' if near[0] in COMMANDS else ''}{near[0]}?"


def _written(command: str) -> str:
    return f"+{command}" + ("=RUN_ID" if command in TAKES_RUNS else "")
