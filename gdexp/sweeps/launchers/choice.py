"""The choice of the worker launcher that fits the configured Hydra launcher."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gdexp.config import BASIC_LAUNCHER
from gdexp.sweeps.launchers.base import WorkerLauncher
from gdexp.sweeps.launchers.hydra_workers import HydraWorkers

if TYPE_CHECKING:
    from hydra.plugins.launcher import Launcher

SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher"
"""Modules of Hydra's launchers. A launcher is known by its module, so that no other is imported."""


def is_basic(hydra_launcher: Launcher) -> bool:
    """Return whether a launcher is Hydra's own basic one, which runs jobs in this process."""
    cls = type(hydra_launcher)
    return f"{cls.__module__}.{cls.__name__}" == BASIC_LAUNCHER


def worker_launcher(
    hydra_launcher: Launcher, launch: Callable[[list[list[str]]], None]
) -> WorkerLauncher | None:
    """Return what starts the workers for a Hydra launcher.

    Args:
        hydra_launcher: the launcher as Hydra made it.
        launch: runs the task function once for each list of overrides.

    Returns:
        None for Hydra's own basic launcher: the driver starts workers on this machine.
    """
    if is_basic(hydra_launcher):
        return None
    module = type(hydra_launcher).__module__
    launcher: Any = hydra_launcher
    if module == SUBMITIT:
        from gdexp.sweeps.launchers.slurm_workers import SlurmWorkers, check_cluster

        return WorkerLauncher(partial(check_cluster, launcher), partial(SlurmWorkers, launcher))
    if module == RAY:
        from gdexp.sweeps.launchers.ray_workers import RayWorkers, check_ray

        return WorkerLauncher(partial(check_ray, launcher), partial(RayWorkers, launcher))
    return WorkerLauncher(
        lambda: None,
        lambda overrides, count, set_attribute: HydraWorkers(
            lambda: launch([overrides] * count), set_attribute
        ),
    )
