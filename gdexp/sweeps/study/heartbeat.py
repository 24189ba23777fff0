"""Which workers of a study are there: each shows a sign of life, and the others watch it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gdexp.core import StudyInUse, signals

if TYPE_CHECKING:
    from optuna import Study

SIGN = "gdexp.worker."
"""What the study's attributes begin with that are signs of life; the worker's id follows."""

STOP_ATTRIBUTE = "gdexp.stop"
"""The study's attribute that tells all workers to go."""

STOP_SIGNAL = signal.SIGINT
"""The signal that a worker sends itself then: TERM comes from those who may start it again."""

BEAT_SECONDS = 3.0
"""Between two signs of life."""

GONE_AFTER_SECONDS = 15.0
"""A worker elsewhere that has shown no new sign for so long is gone."""


class StartedBy(Enum):
    """Where a worker is, seen from the driver."""

    DRIVER = "driver"
    """A process that the driver started itself."""
    LAUNCHER = "launcher"
    """Started by a launcher: perhaps on another machine."""


@dataclass(frozen=True)
class WorkerIdentity:
    """A worker, so that others can tell whether it is there.

    Attributes:
        worker: drawn at its start, never used again.
        place: the machine and its process table; equal for those who see each other's pids.
        pid: of its process.
        began: when the kernel started it: a pid alone may be another process by now.
    """

    worker: str
    place: str
    pid: int
    began: str

    @classmethod
    def own(cls) -> WorkerIdentity:
        """This process, under a new name."""
        return cls(uuid.uuid4().hex[:12], _place(), os.getpid(), _began(os.getpid()) or "")

    @property
    def key(self) -> str:
        """The study's attribute that holds its signs."""
        return SIGN + self.worker

    def sign(self, count: int) -> dict[str, Any]:
        """A sign of life; `count` makes it differ from the one before."""
        return {"place": self.place, "pid": self.pid, "began": self.began, "count": count}


class Heartbeat(AbstractContextManager["Heartbeat"]):
    """Shows that a worker is there, until it leaves.

    Where it is told to go on showing it, a thread does, and hears when all are to go: it sends
    its own process the signal then. A sign that cannot be written is left out: the worker's own
    next write says what is wrong.

    Args:
        study: that the worker works for.
        identity: the worker.
        beats: whether it goes on; needless where the others see its process.
        seconds: between two signs.
    """

    def __init__(
        self, study: Study, identity: WorkerIdentity, beats: bool, seconds: float = BEAT_SECONDS
    ) -> None:
        self._study, self._identity, self._seconds = study, identity, seconds
        self._leaving = threading.Event()
        self._thread = (
            threading.Thread(target=self._beat, name="gdexp-heartbeat", daemon=True)
            if beats
            else None
        )

    def __enter__(self) -> Heartbeat:
        # Before the first trial is asked: nobody may take that one for abandoned.
        self._study.set_user_attr(self._identity.key, self._identity.sign(0))
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(Exception):
            self._study.set_user_attr(self._identity.key, None)

    def _beat(self) -> None:
        count = 0
        while not self._leaving.wait(self._seconds):
            count += 1
            with contextlib.suppress(Exception):
                self._study.set_user_attr(self._identity.key, self._identity.sign(count))
                if self._study.user_attrs.get(STOP_ATTRIBUTE):
                    os.kill(os.getpid(), STOP_SIGNAL)
                    return


class WorkerLiveness:
    """Tells which workers of a study are gone.

    A worker that this process can see in its process table is gone when it is not there. Any
    other is gone when its sign has not changed for a while by this process's own clock: clocks
    of several machines need not agree.

    Args:
        seconds: of silence after which a worker elsewhere is gone.
        clock: seconds; another one for tests.
    """

    def __init__(
        self, seconds: float = GONE_AFTER_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._clock = seconds, clock
        self._seen: dict[str, tuple[object, float]] = {}
        self._place = _place()

    def alive(self, attributes: Mapping[str, Any]) -> set[str]:
        """The workers that are there, or may be.

        Args:
            attributes: the study's, as they are now.
        """
        now = self._clock()
        found = set()
        for key, sign in attributes.items():
            if not key.startswith(SIGN) or not isinstance(sign, Mapping):
                continue
            worker = key.removeprefix(SIGN)
            if sign.get("place") == self._place:
                began = _began(int(sign.get("pid", -1)))
                if began is not None and began == sign.get("began"):
                    found.add(worker)
                continue
            known = self._seen.get(worker)
            if known is None or known[0] != sign:
                known = self._seen[worker] = (dict(sign), now)
            if now - known[1] < self._seconds:
                found.add(worker)
        return found


def _place() -> str:
    """This machine since it started, and the process table that pids are of."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _began(pid: int) -> str | None:
    """When a process was started, by its kernel; None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if Path("/proc/self/stat").exists() else _exists(pid)
    # The name in parentheses may hold anything; a zombie is gone though it has a line.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _exists(pid: int) -> str | None:
    """Without a process file system: that there is such a process, not since when."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""


def wait_for_other_workers(study: Study, name: str) -> None:
    """Wait until no worker of an earlier start is left; a second driver's would mix with them.

    Those that were killed are seen to be gone at once on this machine, and elsewhere when they
    have been silent for a while.

    Args:
        study: that a driver just took hold of.
        name: of the study.

    Raises:
        StudyInUse: one of them is at work.
    """
    liveness, until = WorkerLiveness(), time.monotonic() + GONE_AFTER_SECONDS + BEAT_SECONDS
    before = dict(study.user_attrs)
    while there := liveness.alive(now := study.user_attrs):
        moved = [worker for worker in there if now[SIGN + worker] != before.get(SIGN + worker)]
        if moved or time.monotonic() > until:
            sign = now[SIGN + (moved or sorted(there))[0]]
            where = str(sign["place"]).split()[0]
            raise StudyInUse(
                f"sweep.name={name}: process {sign['pid']} on {where} is at work on this study; "
                "wait for it, end it, or give another sweep.name"
            )
        signals.check()
        time.sleep(0.1)
