"""Bytecode that Python stored of a module, and whether it is of the text that the file holds.

Python takes stored bytecode for that of a file which has the same size and, in whole seconds, the
same time. So after two changes within a second, or where a tool sets the times of files, another
text runs than the one that is read. gdexp stores no bytecode of the user's modules while their code
runs, and compares what others stored.
"""

from __future__ import annotations

import importlib.util
import marshal
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

HEADER = 16
"""The bytes before the code: a magic number, flags, and time and size or a hash of the source."""

BY_HASH, CHECKED = 1, 2
"""Flags of the header."""


@contextmanager
def none_stored() -> Iterator[None]:
    """Store no bytecode of what is imported inside the block."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def ran_another_text(file: str, code: CodeType) -> bool:
    """Return whether a module's code is stored bytecode that is not of the file's text.

    Args:
        file: of the module.
        code: of the module, as it is executed.
    """
    stored = _suspect(file)
    return stored is not None and _code(stored) == code and _differs(file, code)


def loaded_another_text(module: ModuleType, file: str) -> bool:
    """Return whether Python takes stored bytecode for a module that is not of the file's text.

    Args:
        module: that was loaded before anyone saw its code.
        file: of the module.
    """
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    stored = _suspect(file) if type(loader) is SourceFileLoader else None
    if stored is None or not _is_taken(stored, file):
        return False
    code = _code(stored)
    return code is not None and _differs(file, code)


def _suspect(file: str) -> bytes | None:
    """Return the stored bytecode of a file if the file may have changed after it was stored.

    Contents cannot change without the time that the system notes of it. This makes the usual case
    cheap: nothing is read.
    """
    try:
        place = importlib.util.cache_from_source(file)
        if os.stat(place).st_mtime_ns > os.stat(file).st_ctime_ns:
            return None
        return Path(place).read_bytes()
    except (NotImplementedError, OSError):
        return None  # this Python stores none, or it can read this one no more than we can


def _is_taken(stored: bytes, file: str) -> bool:
    """Return whether Python takes stored bytecode for that of a file as it is now."""
    if len(stored) <= HEADER or stored[:4] != importlib.util.MAGIC_NUMBER:
        return False
    flags, time, size = (int.from_bytes(stored[at : at + 4], "little") for at in (4, 8, 12))
    if flags & BY_HASH:
        return not flags & CHECKED
    try:
        found = os.stat(file)
    except OSError:
        return False
    return (time, size) == (int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)


def _code(stored: bytes) -> CodeType | None:
    try:
        code = marshal.loads(stored[HEADER:])  # Python itself has just run it
    except (EOFError, ValueError, TypeError):
        return None
    return code if isinstance(code, CodeType) else None


def _differs(file: str, code: CodeType) -> bool:
    """Return whether a file's text compiles to another code; comments make no difference."""
    try:
        return compile(Path(file).read_bytes(), file, "exec", dont_inherit=True) != code
    except (OSError, SyntaxError, ValueError):
        return False
