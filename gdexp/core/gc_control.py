"""When Python looks for garbage: not while it imports libraries, and not before it ends.

The libraries make a million objects that stay to the end. Python would look through all of them
several times while they come, and once more when it goes, which takes more than a second.
"""

from __future__ import annotations

import gc

_put_off = False


def put_off() -> None:
    """Look for none until the work begins; for a process that is to do one thing and end."""
    global _put_off
    _put_off = True
    gc.disable()


def begin() -> None:
    """Look for garbage from now on, but never among what is there; nothing where none is put off.

    To be called when all that is large is imported, and before anything runs for long.
    """
    global _put_off
    if _put_off:
        _put_off = False
        gc.freeze()
        gc.enable()


def leave() -> None:
    """Let the process end without a last look: its memory is given back as a whole."""
    gc.disable()
    gc.freeze()
