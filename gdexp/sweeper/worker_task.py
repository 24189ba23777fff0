"""What a Hydra launcher calls in each of its jobs: a worker, which makes many trials."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdexp.sweeper.application import HydraApplication
from gdexp.sweeps import StartedBy, in_launched_process

if TYPE_CHECKING:
    from omegaconf import DictConfig

MAIN = "__main__"
NAMED = re.compile(rf"\b{MAIN}\.(\w+)")


@dataclass
class WorkerTask:
    """The task function of a launcher; it is pickled with the application's own function.

    Attributes:
        application: whose trials are made; the driver gives it the order before the launch.
        named: what the config names as `__main__.NAME`: another program runs in a job's process.
    """

    application: HydraApplication
    named: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        found = vars(sys.modules[MAIN])
        names = NAMED.findall(self.application.text)
        self.named = {name: found[name] for name in names if name in found}

    @property
    def __name__(self) -> str:
        """The name that launchers show."""
        return "worker"

    def __call__(self, config: DictConfig) -> None:
        """Run a worker until the sweep ends."""
        from hydra.core.hydra_config import HydraConfig

        vars(sys.modules[MAIN]).update(self.named)
        order = self.application.launched
        in_launched_process(
            HydraConfig.get(), lambda: self.application.work(order, StartedBy.LAUNCHER)
        )
