"""The Hydra sweeper of gdexp. Imported at every start, so everything heavy waits in functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


# `hydra/sweeper: gdexp`; everything that can be set stands in the group `sweep`.
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="gdexp",
    node={"_target_": "hydra_plugins.gdexp_sweeper.GdexpSweeper"},
    provider="gdexp",
)


NOTHING_CONVERGED = 1
"""The exit status of a sweep without a winner."""


class GdexpSweeper(Sweeper):
    """Prepares the study, then launches long-lived workers through the configured launcher."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over, and make the launcher."""
        from hydra.core.plugins import Plugins
        from hydra.types import HydraContext

        from gdexp.sweeps import SweepConfigs, is_basic

        self.configs = SweepConfigs(hydra_context.config_loader, config)
        self.job_launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if is_basic(self.job_launcher):
            own = HydraContext(self.configs.loader(), hydra_context.callbacks)
            self.job_launcher.setup(hydra_context=own, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> list[JobReturn] | None:
        """Run the whole sweep; errors are gdexp's own and come out as they are."""
        from gdexp.core import CommandExit, CommandFailed
        from gdexp.sweeps import job_failure, run_sweep, worker_launcher

        def launch(overrides: list[list[str]]) -> None:
            for job in self.job_launcher.launch(overrides, initial_job_idx=0):
                if (failure := job_failure(job)) is not None:
                    raise failure

        started_by = worker_launcher(self.job_launcher, launch)
        try:
            finished = run_sweep(arguments, self.configs.compose, launch, started_by)
            if finished is not None and not finished.is_won:
                raise CommandExit(NOTHING_CONVERGED)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise CommandFailed from error
        return None
