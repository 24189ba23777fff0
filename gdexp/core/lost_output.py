"""Standard output that cannot be written: its reader left, or its disk is full."""

from __future__ import annotations

import os

from gdexp.core import streams


def lost_output() -> str | None:
    """Write what standard output still holds; return why that fails, or None.

    Where it fails the output goes nowhere from then on: Python would try again at its end, and
    would end with a message and a status of its own.
    """
    stdout = streams.own_stream("stdout")
    try:
        stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stdout.fileno())
        os.close(nowhere)
        streams.note()
        return error.strerror or str(error)
    return None
