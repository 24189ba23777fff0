"""The Hydra sweeper of gdexp. Imported at every start, so everything heavy waits in functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from gdexp.sweep.crew import Engine

SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher"

# `hydra/sweeper: gdexp`; everything that can be set stands in the group `sweep`.
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="gdexp",
    node={"_target_": "hydra_plugins.gdexp_sweeper.GdexpSweeper"},
    provider="gdexp",
)


class GdexpSweeper(Sweeper):
    """Prepares the study, then launches long-lived workers through the configured launcher."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over, and make the launcher."""
        from hydra.core.plugins import Plugins

        self.loader = hydra_context.config_loader
        self.composed = config
        self.job_launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[JobReturn] | None:
        """Run the whole sweep; errors are gdexp's own and come out as they are."""
        from hydra._internal.core_plugins.basic_launcher import BasicLauncher
        from hydra.core.utils import JobStatus

        from gdexp.errors import CommandFailed
        from gdexp.sweep.driver import drive

        def compose(overrides: list[str]) -> DictConfig:
            return self.loader.load_sweep_config(self.composed, overrides)

        def launch(overrides: list[list[str]]) -> None:
            for job in self.job_launcher.launch(overrides, initial_job_idx=0):
                if job.status is JobStatus.FAILED:
                    # Asked for the value, Hydra would print all overrides, secrets among them.
                    raise job._return_value

        engine = None
        if not isinstance(self.job_launcher, BasicLauncher):
            engine = self._engine(launch)
        try:
            drive(arguments, compose, launch, engine)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise CommandFailed from error
        return None

    def _engine(self, launch: Callable[[list[list[str]]], None]) -> Engine:
        """What starts workers: jobs of submitit, tasks of Ray, others all in one call."""
        from gdexp.sweep.crew import Engine, LaunchedCrew

        launcher: Any = self.job_launcher
        if type(launcher).__module__ == SUBMITIT:
            from gdexp.sweep.jobs import JobCrew, check_cluster

            return Engine(partial(check_cluster, launcher), partial(JobCrew, launcher))
        if type(launcher).__module__ == RAY:
            from gdexp.sweep.tasks import RayCrew, check_ray

            return Engine(partial(check_ray, launcher), partial(RayCrew, launcher))
        return Engine(
            lambda: None,
            lambda lines, count, tell: LaunchedCrew(lambda: launch([lines] * count), tell),
        )
