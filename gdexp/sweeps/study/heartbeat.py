"""The sign of life that a worker writes to the study."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from contextlib import AbstractContextManager
from enum import Enum
from typing import TYPE_CHECKING

from gdexp.core import context_thread
from gdexp.sweeps.study.worker_identity import WorkerIdentity

if TYPE_CHECKING:
    from optuna import Study

STOP_ATTRIBUTE = "gdexp.stop"
"""The study's attribute that tells all workers to end."""

STOP_SIGNAL = signal.SIGINT
"""The signal that a worker then sends to itself. TERM would mean that it may be started again."""

BEAT_SECONDS = 3.0
"""Time between two signs of life."""


class StartedBy(Enum):
    """What started a worker that shares the study."""

    DRIVER = "driver"
    """The driver, as a process of its own machine."""
    LAUNCHER = "launcher"
    """A Hydra launcher, perhaps on another machine."""


class Heartbeat(AbstractContextManager["Heartbeat"]):
    """Writes signs of life of a worker to the study, until the worker ends.

    If it beats, a thread repeats the sign and reads whether all workers are told to end; then it
    sends its own process the stop signal. A sign that cannot be written is skipped: the worker's
    next write reports the error.

    Args:
        study: that the worker works for.
        identity: of the worker.
        beats: whether the sign is repeated; not needed where others see the process.
        seconds: between two signs.
    """

    def __init__(
        self, study: Study, identity: WorkerIdentity, beats: bool, seconds: float = BEAT_SECONDS
    ) -> None:
        self._study, self._identity, self._seconds = study, identity, seconds
        self._ended = threading.Event()
        self._thread = context_thread(self._beat, "gdexp-heartbeat") if beats else None

    def __enter__(self) -> Heartbeat:
        # Before the first trial is asked, so that nobody takes that trial for abandoned.
        self._study.set_user_attr(self._identity.key, self._identity.sign(0))
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        with contextlib.suppress(Exception):
            self._study.set_user_attr(self._identity.key, None)

    def _beat(self) -> None:
        count = 0
        while not self._ended.wait(self._seconds):
            count += 1
            with contextlib.suppress(Exception):
                self._study.set_user_attr(self._identity.key, self._identity.sign(count))
                if self._study.user_attrs.get(STOP_ATTRIBUTE):
                    os.kill(os.getpid(), STOP_SIGNAL)
                    return
