"""What a Hydra launcher calls in each of its jobs: a worker, which makes many trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdexp.sweeper.application import HydraApplication
from gdexp.sweeps import StartedBy, in_launched_process

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class WorkerTask:
    """The task function of a launcher; it is pickled with the application's own function.

    Attributes:
        application: whose trials are made; the driver gives it the order before the launch.
    """

    application: HydraApplication

    @property
    def __name__(self) -> str:
        """The name that launchers show."""
        return "worker"

    def __call__(self, config: DictConfig) -> None:
        """Run a worker until the sweep ends."""
        from hydra.core.hydra_config import HydraConfig

        order = self.application.launched
        in_launched_process(
            HydraConfig.get(), lambda: self.application.work(order, StartedBy.LAUNCHER)
        )
