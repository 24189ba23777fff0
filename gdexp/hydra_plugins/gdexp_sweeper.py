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
        from gdexp.core import CommandFailed
        from gdexp.sweeps import job_failure, run_sweep, worker_launcher

        def compose(overrides: list[str]) -> DictConfig:
            return self.loader.load_sweep_config(self.composed, overrides)

        def launch(overrides: list[list[str]]) -> None:
            for job in self.job_launcher.launch(overrides, initial_job_idx=0):
                if (failure := job_failure(job)) is not None:
                    raise failure

        try:
            run_sweep(arguments, compose, launch, worker_launcher(self.job_launcher, launch))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise CommandFailed from error
        return None
