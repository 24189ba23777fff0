"""Memory: what a machine has, what a process gives back, and errors that mean too little."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress


def release_freed_memory() -> None:
    """Give memory that was freed back to the system; glibc else keeps it for later."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library that is not glibc
            ctypes.CDLL(None).malloc_trim(0)


def machine_memory() -> int | None:
    """Return the bytes of memory that this machine has, or None where the system tells nothing."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that there is too little memory.

    torch has a class for it on a GPU alone. On a CPU it is a `RuntimeError` of the allocator.
    """
    words = ("DefaultCPUAllocator", "Storage size calculation overflowed")
    said = isinstance(error, RuntimeError) and any(each in str(error) for each in words)
    return said or isinstance(error, MemoryError)
