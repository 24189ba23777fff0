"""The identity of a worker: its name, its machine and its process."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIGN = "gdexp.worker."
"""Prefix of the study's attributes that are signs of life; the worker's name follows."""


@dataclass(frozen=True)
class WorkerIdentity:
    """A worker, described so that others can tell whether it is alive.

    Attributes:
        worker: a random name, never used again.
        place: the machine and its process table; equal for processes that see each other's pids.
        pid: of its process.
        began: the start time of the process; the kernel may give its pid to another one later.
    """

    worker: str
    place: str
    pid: int
    began: str

    @classmethod
    def own(cls) -> WorkerIdentity:
        """Return this process under a new name."""
        return cls(uuid.uuid4().hex[:12], machine(), os.getpid(), process_start(os.getpid()) or "")

    @property
    def key(self) -> str:
        """The study's attribute that holds its sign of life."""
        return SIGN + self.worker

    def sign(self, count: int) -> dict[str, Any]:
        """Return a sign of life; `count` makes it differ from the one before."""
        return {"place": self.place, "pid": self.pid, "began": self.began, "count": count}


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
