"""Which files are the user's own, and their digests."""

from __future__ import annotations

import hashlib
import os
import stat
import sysconfig
import time
from functools import cache, lru_cache
from pathlib import Path

INSTALLED = frozenset({"site-packages", "dist-packages"})
"""Names of the folders that installed distributions are in; an editable install is elsewhere."""

SETTLED_NS = 2_000_000_000
"""A file that changed less than so long ago may change again within the same tick of its time."""


@lru_cache(4096)
def is_own(file: str) -> bool:
    """Return whether a file is the user's own: of no distribution, of Python or of gdexp.

    Args:
        file: its path; a name like `<string>` is no file's.
    """
    if not file or file.startswith("<"):
        return False
    return not INSTALLED & set(Path(file).parts) and not _below(file, _other_folders())


def file_digest(file: str) -> str | None:
    """Return the sha256 of a file as hex digits; None where there is no regular file to read.

    A digest is kept while size, times and inode of the file stay the same.
    """
    try:
        found = os.stat(file)
        if not stat.S_ISREG(found.st_mode):
            return None
        times = found.st_mtime_ns, found.st_ctime_ns  # a tool may set the first one, not the second
        if time.time_ns() - max(times) <= SETTLED_NS:
            return _sha256(file)
        return _settled_sha256(file, found.st_size, times, found.st_ino)
    except OSError:
        return None


@lru_cache(4096)
def _settled_sha256(file: str, size: int, times_ns: tuple[int, int], inode: int) -> str:
    """The digest of a file in one state, which size, times and inode tell."""
    return _sha256(file)


def _sha256(file: str) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _below(file: str, folders: tuple[str, ...]) -> bool:
    return file.startswith(folders) or os.path.realpath(file).startswith(folders)


@cache
def _other_folders() -> tuple[str, ...]:
    """Return the folders of Python's library, of gdexp and of the system, with a slash each."""
    package = Path(__file__).parents[1]
    folders = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(package)]
    folders += [str(package.parent / "conf"), "/proc", "/sys", "/dev"]
    both = {*folders, *map(os.path.realpath, folders)}
    return tuple(f"{folder}{os.sep}" for folder in sorted(both))
