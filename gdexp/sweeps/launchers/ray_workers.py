"""Workers as tasks of Ray: handed in at once, watched one by one, cancelled at the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

from gdexp.core import BadInput, GdexpError, here, signals
from gdexp.sweeps.launchers.base import END_SECONDS
from gdexp.sweeps.launchers.ray_cluster import (
    cluster_address,
    connect,
    disconnect,
    private_cluster,
    ray_messages,
)
from gdexp.sweeps.study import STOP

KILLED, AGAIN = "A worker died or was killed", "Task _run_job failed. There are "
"""What Ray's messages begin with when a worker was killed, and when it starts it again."""

MESSAGE = 200
"""Characters of a message of Ray's that are shown: some go on with a page of a log."""


class RayLauncher(Protocol):
    """The launcher of Hydra's plugin for Ray."""

    ray_cfg: Any
    config: Any
    hydra_context: Any
    task_function: Callable[..., object]


def check_ray(launcher: RayLauncher) -> None:
    """Look whether there is a Ray that takes tasks, or can be.

    Raises:
        BadInput: it is not installed, does not answer, or cannot be asked for such workers.
    """
    if find_spec("ray") is None:
        raise BadInput("hydra/launcher", "ray", "ray is not installed; install gdexp[ray]")
    cores = launcher.ray_cfg.remote.get("num_cpus", 1)
    if isinstance(cores, bool) or not isinstance(cores, int | float) or cores <= 0:
        raise BadInput("hydra.launcher.ray.remote.num_cpus", cores, "must be a number > 0")
    settings = _settings(launcher)
    if cluster_address(settings) is not None:
        connect(settings)


class RayWorkers:
    """Workers that are tasks. Ray starts one that was killed again, as often as it is told to.

    Args:
        launcher: that Hydra made of the config.
        overrides: that each worker composes its config from.
        count: how many.
        tell: sets an attribute of the study.

    Raises:
        GdexpError: Ray does not start.
    """

    def __init__(
        self,
        launcher: RayLauncher,
        overrides: Sequence[str],
        count: int,
        tell: Callable[[str, Any], None],
    ) -> None:
        self._tell, self._remote = tell, launcher.ray_cfg.remote
        tell(STOP, None)
        with signals.ending(), ExitStack() as around:  # a signal waits until all is there
            settings = _settings(launcher)
            if cluster_address(settings) is None:
                cores = count * self._remote.get("num_cpus", 1)
                around.enter_context(private_cluster(settings, cores))
            else:
                around.callback(disconnect)
            self._said = around.enter_context(ray_messages())
            self._tasks = [_Task(ref) for ref in _submitted(launcher, overrides, count)]
            self._around = around.pop_all()

    def ended(self) -> bool:
        """Whether every task is at its end."""
        for task in self._tasks:
            task.look()
        return all(task.over for task in self._tasks)

    def lost(self) -> list[str]:
        """What Ray says meanwhile: that a worker was killed, or that there is no room for one."""
        words = []
        while self._said:
            message = " ".join(self._said.pop(0).split())
            if message.startswith(KILLED):
                words.append("a worker of Ray was ended; others take over its trials")
            elif not message.startswith(AGAIN):
                words.append(f"Ray: {message[:MESSAGE]}")
        return words

    def failure(self) -> Exception | None:
        """The first error that a task came back with, or else that one was killed too often."""
        errors = [task.error for task in self._tasks if task.error is not None]
        if not errors and any(task.killed for task in self._tasks):
            limit = self._remote.get("max_retries", 3)
            return GdexpError(
                f"hydra.launcher.ray.remote.max_retries={limit}: workers were killed more often "
                "than that; the same command continues"
            )
        return errors[0] if errors else None

    def end(self, soon: bool) -> None:
        """Let those that are at work end, kill what is left then, and leave Ray."""
        with self._around:
            if soon:
                self._tell(STOP, os.getpid())
                self._cancel(force=False)
            self._wait()
            self._cancel(force=True)
            self._wait()

    def _cancel(self, force: bool) -> None:
        """Keep those back that wait, and send the others a signal as of Ctrl-C, or KILL."""
        import ray

        for task in self._tasks:
            if not task.over:
                ray.cancel(task.ref, force=force)

    def _wait(self) -> None:
        until = time.monotonic() + END_SECONDS
        while not self.ended() and time.monotonic() < until:
            time.sleep(0.05)


class _Task:
    """A task, as far as its driver knows.

    Args:
        ref: of what it will return.
    """

    def __init__(self, ref: object) -> None:
        self.ref = ref
        self.over = self.killed = False
        self.error: Exception | None = None

    def look(self) -> None:
        """See what has become of it."""
        import ray
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        if self.over or not ray.wait([self.ref], timeout=0)[0]:
            return
        self.over = True
        try:
            returned = getattr(ray.get(self.ref), "_return_value", None)
            self.error = returned if isinstance(returned, Exception) else None
        except TaskCancelledError:  # it never began
            pass
        except RayTaskError as error:  # it did not get as far as to its own work
            self.error = GdexpError(f"hydra/launcher=ray: {_cause(error)}")
        except RayError:
            self.killed = True


def _cause(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[-1] if lines else ''}"


def _settings(launcher: RayLauncher) -> dict[str, Any]:
    from omegaconf import OmegaConf

    found: Any = OmegaConf.to_container(launcher.ray_cfg.init, resolve=True)
    return dict(found)


def _submitted(launcher: RayLauncher, overrides: Sequence[str], count: int) -> list[object]:
    """Hand the tasks in, as the launcher itself does: but it would then wait for their end."""
    from hydra.core.singleton import Singleton
    from hydra_plugins.hydra_ray_launcher._launcher_util import launch_job_on_ray
    from omegaconf import open_dict

    refs = []
    for number in range(count):
        loader = launcher.hydra_context.config_loader
        config = loader.load_sweep_config(launcher.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = f"job_id_for_{number}", number
        refs.append(
            launch_job_on_ray(
                launcher.hydra_context,
                launcher.ray_cfg.remote,
                config,
                partial(_standing_in, str(here()), launcher.task_function),
                Singleton.get_state(),
            )
        )
    return refs


def _standing_in(folder: str, task: Callable[..., object], config: object) -> object:
    """Do a task where the driver stands, as far as its folder is there: Ray stands elsewhere."""
    if os.path.isdir(folder):
        os.chdir(folder)
        sys.path.insert(0, folder)
    return task(config)
