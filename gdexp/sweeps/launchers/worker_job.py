"""A worker as a Hydra launcher starts it: in the driver's own process, or wherever jobs run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp.core import Interrupted, guarding, raising, standing
from gdexp.sweeps.study import STOPPED, Place
from gdexp.sweeps.worker import run_worker

if TYPE_CHECKING:
    from hydra.conf import HydraConf

IN_PROCESS = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"

LEAVE = signal.SIGUSR2
"""What a cluster sends before a time limit. Its launcher then has the job queued again."""


def run_launched_worker(composed: Mapping[str, Any], hydra: HydraConf) -> None:
    """Be a worker; one that is told to go hands back its trials first.

    Args:
        composed: its config.
        hydra: what Hydra knows of the job.

    Raises:
        SystemExit: it was told so by its cluster, which may start it again: it is not done.
    """
    if hydra.launcher["_target_"] == IN_PROCESS:
        run_worker(composed)
        return
    told = None
    # A cluster sends TERM more than once within a moment; who means it sends KILL.
    with guarding(), raising((LEAVE,), patient=True), standing():
        try:
            _compute_with(hydra.launcher.get("cpus_per_task"))
            run_worker(composed, Place.ELSEWHERE)
        except Interrupted as interrupted:
            told = interrupted.number
    if told == LEAVE:
        signal.raise_signal(LEAVE)  # now for the launcher, which listened to it before
    if told not in (None, STOPPED):
        sys.exit(128 + told)


def _compute_with(cores: int | None) -> None:
    """Hold torch to the cores of the job, unless the environment says how many threads it has."""
    import torch

    if cores is not None and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(cores)
