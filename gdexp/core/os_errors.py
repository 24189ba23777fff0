"""Failures of a database, a disk or a server, in words that say what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator

FULL_DISK = frozenset({errno.ENOSPC, errno.EFBIG, errno.EDQUOT})
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}

IN_SQLITE = {
    "database or disk is full": "the disk is full; make room",
    # SQLite says this when a file may not grow or a disk fails.
    "disk i/o error": "the disk does not take it; see that there is room",
    "readonly database": "it cannot be written to; give the right to, or name another",
    "unable to open database": "it cannot be opened; see that its folder can be written to",
    "database is locked": "another process keeps it locked; end that process, or wait for it",
    "disk image is malformed": "it is damaged; restore a copy of it, or name another",
    "file is not a database": "it is damaged; restore a copy of it, or name another",
}


def failure_reason(error: BaseException) -> str:
    """Return why a place could not be read or written, and the remedy if one is known.

    Args:
        error: as it came from the operating system, SQLite, MLflow or an HTTP client.
    """
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    for cause in _causes(error):
        if isinstance(cause, OSError) and cause.errno in FULL_DISK:
            return f"the disk is full{_at(cause)}; make room"
        if isinstance(cause, OSError) and cause.errno in READ_ONLY:
            return f"cannot be written to{_at(cause)} ({cause.strerror})"
        said = str(cause).lower()
        for words, meaning in IN_SQLITE.items():
            if words in said:
                return meaning
    return first.strip() or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        seen.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__


def _at(error: OSError) -> str:
    return f" at {error.filename}" if error.filename else ""
