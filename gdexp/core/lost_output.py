"""Standard output that cannot be written: its reader left, or its disk is full."""

from __future__ import annotations

import os
import sys


def lost_output() -> str | None:
    """Write what standard output still holds; return why that fails, or None.

    Where it fails the output goes nowhere from then on: Python would try again at its end, and
    would end with a message and a status of its own.
    """
    if sys.stdout is None:
        return None
    try:
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return error.strerror or str(error)
    return None
