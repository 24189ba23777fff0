"""The identity of a worker: its name, its machine and its process."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from typing import Any

from gdexp.core import machine, process_start

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
