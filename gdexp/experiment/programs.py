"""Where a run names and keeps the program of its portable descent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PROGRAM = "program.z"
"""The artifact of a single run with its program, and the file of an export."""

PROGRAM_KEY = "program"
"""Where `environment.json` has the sha256 of the program."""


def program_digest(recorded: Mapping[str, Any]) -> str | None:
    """Return the sha256 of the program in a recorded environment; None if it names none."""
    found = recorded.get(PROGRAM_KEY)
    return found if isinstance(found, str) and re.fullmatch("[0-9a-f]{64}", found) else None
