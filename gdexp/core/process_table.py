"""The processes of this machine: whether one exists, and whether it is still the same one."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path


def machine() -> str:
    """Return what identifies this machine since it started, and the process table of its pids."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def process_start(pid: int) -> str | None:
    """Return the kernel's start time of a process; None if there is no such process.

    Without a process file system the start time is unknown, and empty.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        return "" if process_exists(pid) else None
    # The name in parentheses may hold anything. A zombie still has a line, but it has ended.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def process_exists(pid: int) -> bool:
    """Return whether there is a process with this pid."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
