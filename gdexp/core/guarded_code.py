"""What holds while the user's code runs in the process of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gdexp.core.bytecode import none_stored
from gdexp.core.process_exit import exits_raise
from gdexp.core.streams import streams_kept


@contextmanager
def guarded() -> Iterator[None]:
    """Keep what belongs to the command from the user's code that runs inside the block.

    Its streams are put back, its process does not end, and no bytecode is stored.
    """
    with streams_kept(), guarded_import():
        yield


@contextmanager
def guarded_import() -> Iterator[None]:
    """The same for an import: the streams that a module puts into place stay there."""
    with none_stored(), exits_raise():
        yield
