"""A worker that a Hydra launcher starts: in the driver's process, or as a job anywhere."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gdexp.config import BASIC_LAUNCHER
from gdexp.core import Interrupted, Process, streams
from gdexp.sweeps.study import STOP_SIGNAL, StartedBy
from gdexp.sweeps.worker import run_worker

if TYPE_CHECKING:
    from hydra.conf import HydraConf

LEAVE = signal.SIGUSR2
"""The signal that a cluster sends before a time limit; its launcher then queues the job again."""


def run_launched_worker(composed: Mapping[str, Any], hydra: HydraConf) -> None:
    """Run a worker until the sweep ends, or until a signal tells it to return its trials and end.

    Args:
        composed: the worker's config.
        hydra: Hydra's config of the job.

    Raises:
        SystemExit: the cluster ended the worker by a signal. It may start the worker again.
    """
    if hydra.launcher["_target_"] == BASIC_LAUNCHER:
        run_worker(composed)
        return
    in_launched_process(hydra, lambda: run_worker(composed, StartedBy.LAUNCHER))


def in_launched_process(hydra: HydraConf, work: Callable[[], None]) -> None:
    """Run a worker in the process of a launcher's job; see `run_launched_worker`."""
    received = None
    process = Process()
    # A cluster sends SIGTERM more than once within a moment; to kill it sends SIGKILL.
    with streams.current(), process.current(), process.running((LEAVE,), patient=True):
        try:
            _set_threads(hydra.launcher.get("cpus_per_task"))
            work()
        except Interrupted as interrupted:
            received = interrupted.number
    if received == LEAVE:
        signal.raise_signal(LEAVE)  # for the launcher's own handler, which is in place again
    if received not in (None, STOP_SIGNAL):
        sys.exit(128 + received)


def _set_threads(cores: int | None) -> None:
    """Let torch use the cores of the job, unless `OMP_NUM_THREADS` gives the number of threads."""
    import torch

    if cores is not None and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(cores)
