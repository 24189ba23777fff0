"""Which launcher starts the workers, by the launcher that Hydra was given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from gdexp.config import BASIC_LAUNCHER
from gdexp.sweeps.launchers.local import Engine, LaunchedCrew

if TYPE_CHECKING:
    from hydra.plugins.launcher import Launcher

SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher"


def launcher_of(
    hydra_launcher: Launcher, launch: Callable[[list[list[str]]], None]
) -> Engine | None:
    """What starts the workers: jobs of submitit, tasks of Ray, others all in one call.

    Args:
        hydra_launcher: as Hydra made it.
        launch: runs the task function once for each list of overrides.

    Returns:
        None for Hydra's own basic launcher: the workers are this machine's.
    """
    module = type(hydra_launcher).__module__
    launcher: Any = hydra_launcher
    if f"{module}.{type(hydra_launcher).__name__}" == BASIC_LAUNCHER:
        return None
    if module == SUBMITIT:
        from gdexp.sweeps.launchers.slurm_jobs import JobCrew, check_cluster

        return Engine(partial(check_cluster, launcher), partial(JobCrew, launcher))
    if module == RAY:
        from gdexp.sweeps.launchers.ray_tasks import RayCrew, check_ray

        return Engine(partial(check_ray, launcher), partial(RayCrew, launcher))
    return Engine(
        lambda: None,
        lambda lines, count, tell: LaunchedCrew(lambda: launch([lines] * count), tell),
    )
