"""Workers that are tasks of Ray."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from gdexp.core import BadInput, GdexpError, command_folder, signals
from gdexp.sweeps.launchers.base import wait_for_end
from gdexp.sweeps.launchers.hydra_jobs import job_failure
from gdexp.sweeps.launchers.library_parts import missing_parts
from gdexp.sweeps.launchers.ray_cluster import (
    cluster_address,
    connect,
    disconnect,
    private_cluster,
)
from gdexp.sweeps.launchers.ray_internals import PARTS, captured_messages
from gdexp.sweeps.study import STOP_ATTRIBUTE

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext
    from omegaconf import DictConfig

WAIT_SECONDS = 0.05
"""Between two checks whether the tasks have ended."""

KILLED, RETRIED = "A worker died or was killed", "Task _run_job failed. There are "
"""How Ray's messages begin when it lost a worker, and when it starts one again."""

MESSAGE_LENGTH = 200
"""Characters of a Ray message that are shown: some are followed by a page of a log."""


class RayLauncher(Protocol):
    """The launcher of Hydra's Ray plugin."""

    ray_cfg: Any
    config: Any
    hydra_context: Any
    task_function: Callable[..., object]


def check_ray(launcher: RayLauncher) -> None:
    """Check that Ray is installed, that its settings are usable, and that its cluster answers.

    Raises:
        BadInput: one of these does not hold.
    """
    if find_spec("ray") is None:
        raise BadInput("hydra/launcher", "ray", "ray is not installed; install gdexp[ray]")
    cores = launcher.ray_cfg.remote.get("num_cpus", 1)
    if isinstance(cores, bool) or not isinstance(cores, int | float) or cores <= 0:
        raise BadInput("hydra.launcher.ray.remote.num_cpus", cores, "must be a number > 0")
    settings = _init_settings(launcher)
    if cluster_address(settings) is not None:
        connect(settings)


class RayWorkers:
    """Workers that are tasks. Ray starts a killed one again, `max_retries` times.

    Args:
        launcher: the Hydra launcher.
        overrides: from which each worker composes its config.
        count: how many workers to start.
        set_attribute: sets an attribute of the study.

    Raises:
        GdexpError: Ray does not start.
    """

    def __init__(
        self,
        launcher: RayLauncher,
        overrides: Sequence[str],
        count: int,
        set_attribute: Callable[[str, Any], None],
    ) -> None:
        self._set_attribute, self._remote = set_attribute, launcher.ray_cfg.remote
        set_attribute(STOP_ATTRIBUTE, None)
        with signals.ending(), ExitStack() as stack:  # a signal is handled when all is started
            settings = _init_settings(launcher)
            if cluster_address(settings) is None:
                cores = count * self._remote.get("num_cpus", 1)
                stack.enter_context(private_cluster(settings, cores))
            else:
                stack.callback(disconnect)
            if missing := missing_parts(PARTS):
                raise GdexpError(f"hydra/launcher=ray: this version of Ray has no {missing[0]}")
            self._messages = stack.enter_context(captured_messages())
            self._tasks = [_WorkerTask(ref) for ref in _submit(launcher, overrides, count)]
            self._stack = stack.pop_all()

    def ended(self) -> bool:
        """Return whether all tasks have ended."""
        for task in self._tasks:
            task.update()
        return all(task.ended for task in self._tasks)

    def lost(self) -> list[str]:
        """Return Ray's new messages: a worker was killed, or no cores are free for one."""
        sentences = []
        while self._messages:
            message = " ".join(self._messages.pop(0).split())
            if message.startswith(KILLED):
                sentences.append("a worker of Ray was ended; others take over its trials")
            elif not message.startswith(RETRIED):
                sentences.append(f"Ray: {message[:MESSAGE_LENGTH]}")
        return sentences

    def failure(self) -> Exception | None:
        """Return the first error of a task, else that a task was killed too often."""
        errors = [task.error for task in self._tasks if task.error is not None]
        if not errors and any(task.killed for task in self._tasks):
            limit = self._remote.get("max_retries", 3)
            return GdexpError(
                f"hydra.launcher.ray.remote.max_retries={limit}: workers were killed more often "
                "than that; the same command continues"
            )
        return errors[0] if errors else None

    def end(self, soon: bool) -> None:
        """Wait for the tasks, kill those that still run, and leave the cluster."""
        with self._stack:
            if soon:
                self._set_attribute(STOP_ATTRIBUTE, os.getpid())
                self._cancel(force=False)
            wait_for_end(self, WAIT_SECONDS)
            self._cancel(force=True)
            wait_for_end(self, WAIT_SECONDS)

    def _cancel(self, force: bool) -> None:
        """Cancel waiting tasks; send the others SIGINT, or with `force` SIGKILL."""
        import ray

        for task in self._tasks:
            if not task.ended:
                ray.cancel(task.ref, force=force)


class _WorkerTask:
    """What the driver knows of a task.

    Args:
        ref: Ray's reference to the task's result.
    """

    def __init__(self, ref: object) -> None:
        self.ref = ref
        self.ended = self.killed = False
        self.error: Exception | None = None

    def update(self) -> None:
        """Read the state of the task."""
        import ray
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        if self.ended or not ray.wait([self.ref], timeout=0)[0]:
            return
        self.ended = True
        try:
            self.error = job_failure(ray.get(self.ref))
        except TaskCancelledError:  # before it began
            pass
        except RayTaskError as error:  # before its worker began
            self.error = GdexpError(f"hydra/launcher=ray: {_last_line(error)}")
        except RayError:
            self.killed = True


def _last_line(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[-1] if lines else ''}"


def _init_settings(launcher: RayLauncher) -> dict[str, Any]:
    return dict(_plain(launcher.ray_cfg.init))


def _plain(config: Any) -> Any:  # noqa: ANN401
    from omegaconf import OmegaConf

    return OmegaConf.to_container(config, resolve=True)


def _submit(launcher: RayLauncher, overrides: Sequence[str], count: int) -> list[object]:
    """Submit the tasks as the launcher does; `launcher.launch` would wait until they have ended."""
    import ray
    from hydra.core.singleton import Singleton
    from omegaconf import open_dict

    options = _plain(launcher.ray_cfg.remote)
    remote = ray.remote(**options)(_run_job) if options else ray.remote(_run_job)
    task = partial(_run_in_folder, str(command_folder()), launcher.task_function)
    refs = []
    for number in range(count):
        loader = launcher.hydra_context.config_loader
        config = loader.load_sweep_config(launcher.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = f"job_id_for_{number}", number
        refs.append(remote.remote(launcher.hydra_context, config, task, Singleton.get_state()))
    return refs


def _run_job(
    context: HydraContext,
    config: DictConfig,
    task: Callable[[DictConfig], object],
    state: Mapping[Any, Any],
) -> JobReturn:
    """Run a Hydra job in a process of Ray."""
    from hydra.core.singleton import Singleton
    from hydra.core.utils import run_job, setup_globals

    setup_globals()
    Singleton.set_state(state)
    return run_job(
        hydra_context=context,
        task_function=task,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )


def _run_in_folder(folder: str, task: Callable[..., object], config: object) -> object:
    """Run a task in the driver's folder, where this machine has it: Ray uses another one."""
    if os.path.isdir(folder):
        os.chdir(folder)
        sys.path.insert(0, folder)
    return task(config)
