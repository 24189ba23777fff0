"""One file of the user's own, as this process loaded it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gdexp.core.own_files import file_digest

MOST_SOURCE = 1024 * 1024
"""The most bytes of a module whose text is kept, to name changed lines."""


@dataclass(frozen=True)
class OwnFile:
    """One file of the user's own.

    Attributes:
        path: where it is on this machine.
        digest: the sha256 of its bytes when they were loaded.
        text: its text; None where it is too large or no text.
        loaded: for a module, what shows whether it was loaded again: its `__spec__`.
        is_other: for a module, whether what was executed is not of this text.
    """

    path: str
    digest: str
    text: str | None = field(repr=False, default=None)
    loaded: object = field(repr=False, default=None)
    is_other: bool = False


def load(path: str, most: int, spec: object = None, is_other: bool = False) -> OwnFile | None:
    """Return a file as it is now; None where it cannot be read.

    Args:
        path: of the file.
        most: bytes of which the text is kept.
        spec: of the module.
        is_other: whether the module's code is not of this text.
    """
    digest = file_digest(path)
    if digest is None:
        return None
    text = None
    with suppress(OSError, UnicodeDecodeError):
        if Path(path).stat().st_size <= most:
            text = Path(path).read_bytes().decode()
    return OwnFile(path, digest, text, spec, is_other)
