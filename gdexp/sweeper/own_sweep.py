"""The sweep of gdexp's own experiments, as Hydra starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.core import CommandFailed, WorkEnded
from gdexp.sweeps import (
    OwnApplication,
    SweepConfigs,
    is_basic,
    job_runner,
    run_sweep,
    worker_launcher,
)

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


class OwnSweep:
    """A sweep whose workers are jobs of gdexp's own command.

    Args:
        hydra_context: of Hydra.
        task_function: gdexp's command.
        config: as Hydra composed it.
    """

    def __init__(
        self, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from hydra.core.plugins import Plugins
        from hydra.types import HydraContext

        self.configs = SweepConfigs(hydra_context.config_loader, config)
        self.job_launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if is_basic(self.job_launcher):
            own = HydraContext(self.configs.loader(), hydra_context.callbacks)
            self.job_launcher.setup(hydra_context=own, task_function=task_function, config=config)

    def run(self, arguments: list[str]) -> None:
        """Run the whole sweep; errors are gdexp's own and come out as they are."""
        launch = job_runner(self.job_launcher)
        started_by = worker_launcher(self.job_launcher, launch)
        try:
            run_sweep(OwnApplication(arguments, self.configs.compose, launch), started_by)
        except WorkEnded:
            raise
        except BaseException as error:
            raise CommandFailed from error
