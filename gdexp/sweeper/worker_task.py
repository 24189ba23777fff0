"""What a Hydra launcher calls in each of its jobs: a worker, which makes many trials."""

from __future__ import annotations

import multiprocessing
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdexp.sweeper.application import HydraApplication
from gdexp.sweeps import StartedBy, in_launched_process

if TYPE_CHECKING:
    from omegaconf import DictConfig

MAIN = "__main__"
LOKY = ("loky", "loky_init_main")
"""How joblib starts its own processes."""

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
        with usual_processes():
            in_launched_process(
                HydraConfig.get(), lambda: self.application.work(order, StartedBy.LAUNCHER)
            )


@contextmanager
def usual_processes() -> Iterator[None]:
    """Let processes that a function starts be those of Python, not joblib's.

    In a job of joblib, loky's way of starting a process is the default one, and torch's data
    workers cannot be started by it.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    if method not in LOKY:
        yield
        return
    multiprocessing.set_start_method(None, force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(method, force=True)
