"""Workers that are SLURM jobs, submitted with submitit; or submitit's jobs on this machine."""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, fields
from typing import Any

from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import (
    BaseSubmititLauncher,
    SlurmLauncher,
)
from submitit import AutoExecutor, Job

from gdexp.core import BadInput, GdexpError, shown_path, signals
from gdexp.sweeps.launchers.base import wait_for_end
from gdexp.sweeps.launchers.hydra_jobs import job_failure
from gdexp.sweeps.launchers.slurm_queue import SlurmQueue
from gdexp.sweeps.launchers.submitit_internals import (
    UncompletedJobError,
    has_result,
    make_private,
    watch_with,
)
from gdexp.sweeps.study import STOP_ATTRIBUTE

UPDATE_SECONDS = 1.0
"""Between two updates of the jobs' states."""

RESULT_SECONDS = 5.0
"""How long a shared file system may take to show the result file of a job that has ended."""

COMMANDS = ("sbatch", "srun", "squeue", "scancel")
REFUSABLE_KEYS = ("partition", "account", "qos", "constraint", "gres")
"""Keys of the launcher whose names a cluster's refusal mentions."""


def check_cluster(launcher: BaseSubmititLauncher) -> None:
    """Check that jobs can be submitted from this machine.

    Raises:
        BadInput: a command of SLURM is missing.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if _is_slurm(launcher) and missing:
        raise BadInput(
            "hydra/launcher",
            "submitit_slurm",
            f"there is no {missing[0]} here; start this sweep where a SLURM cluster takes jobs",
        )


class SlurmWorkers:
    """Workers that are jobs.

    Args:
        launcher: the Hydra launcher.
        overrides: from which each worker composes its config.
        count: how many workers to start.
        set_attribute: sets an attribute of the study.

    Raises:
        GdexpError: the cluster refuses the jobs.
    """

    def __init__(
        self,
        launcher: BaseSubmititLauncher,
        overrides: Sequence[str],
        count: int,
        set_attribute: Callable[[str, Any], None],
    ) -> None:
        self._set_attribute, self._launcher = set_attribute, launcher
        self._queue = SlurmQueue() if _is_slurm(launcher) else None
        set_attribute(STOP_ATTRIBUTE, None)
        with signals.ending():  # a signal is handled when the jobs can be cancelled
            submitted = _submit(launcher, overrides, count)
        tasks = [job.task(number) for job in submitted for number in range(job.num_tasks)]
        if self._queue is not None:
            for task in tasks:
                watch_with(task, self._queue)
        self._jobs = [_WorkerJob(task) for task in tasks]
        self._updated = float("-inf")

    def ended(self) -> bool:
        """Return whether all jobs have ended."""
        if time.monotonic() - self._updated >= UPDATE_SECONDS:
            for job in self._jobs:
                job.update()
            self._updated = time.monotonic()
        return all(job.ended for job in self._jobs)

    def lost(self) -> list[str]:
        """Return a sentence for each job that ended without a result since the last call."""
        lost = [job for job in self._jobs if job.ended and not (job.has_result or job.reported)]
        for job in lost:
            job.reported = True
        return [f"job {job.id} was ended; others take over its trials" for job in lost]

    def failure(self) -> Exception | None:
        """Return the first error that a job left as its result, else the last line of its log."""
        ended = [job for job in self._jobs if job.ended]
        for job in sorted(ended, key=lambda job: not job.has_result):
            error = job.error()
            if isinstance(error, UncompletedJobError):  # submitit raises it at the last time limit
                limit = self._launcher.params["max_num_timeout"]
                return GdexpError(
                    f"hydra.launcher.max_num_timeout={limit}: job {job.id} came to its time limit "
                    "more often than that; the same command continues"
                )
            if error is not None:
                return error
        return None

    def end(self, soon: bool) -> None:
        """Cancel the jobs that wait, give those that run time to end, and cancel the rest."""
        if soon:
            self._set_attribute(STOP_ATTRIBUTE, os.getpid())
        if self._queue is not None:
            self._queue.cancel([job.id for job in self._running()], waiting=True)
        self._wait()
        if self._queue is not None:
            self._queue.cancel([job.id for job in self._running()])
        else:
            for job in self._running():
                job.task.cancel(check=False)
        self._wait()

    def _running(self) -> list[_WorkerJob]:
        return [job for job in self._jobs if not job.ended]

    def _wait(self) -> None:
        if self._queue is not None:
            self._queue.max_seconds = UPDATE_SECONDS
        wait_for_end(self, UPDATE_SECONDS / 4)


@dataclass
class _WorkerJob:
    """What the driver knows of a job.

    Attributes:
        task: submitit's object.
        ended: whether the job has ended.
        has_result: whether it wrote a result, which may be an error.
        reported: whether `lost` has reported it.
        left_queue: when it was first seen to be gone; its result may still appear.
    """

    task: Job[Any]
    ended: bool = False
    has_result: bool = False
    reported: bool = False
    left_queue: float | None = None

    @property
    def id(self) -> str:
        """The cluster's name of the job."""
        return self.task.job_id

    def update(self) -> None:
        """Read the state of the job."""
        if self.ended:
            return
        now = time.monotonic()
        if not self.task.done():
            self.left_queue = None
        elif self.left_queue is None:
            self.left_queue = now
        self.has_result = has_result(self.task)
        late = self.left_queue is not None and now - self.left_queue > RESULT_SECONDS
        self.ended = self.has_result or late

    def error(self) -> Exception | None:
        """Return the error that the job ended with; None where its worker did not fail."""
        if not self.has_result:
            return GdexpError(self._last_words())
        try:
            returned = self.task.result()
        except Exception:  # the job failed before its worker began
            return GdexpError(self._last_words())
        return job_failure(returned)

    def _last_words(self) -> str:
        log = self.task.paths.stderr
        text = log.read_text(errors="replace") if log.exists() else ""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        # The last line may be SLURM's own, which says less than the worker's.
        own = [line for line in lines if not line.startswith(("srun: ", "slurmstepd"))] or lines
        if own:
            return f"job {self.id}: {own[-1]} (all of it in {shown_path(log)})"
        return f"job {self.id} was ended, and left no word in {shown_path(log.parent)}"


def _submit(launcher: BaseSubmititLauncher, overrides: Sequence[str], count: int) -> list[Job[Any]]:
    """Submit the jobs as the launcher does; `launcher.launch` would wait until they have ended."""
    from hydra.core.singleton import Singleton

    cluster, params = _cluster(launcher), dict(launcher.params)
    folder = str(params.pop("submitit_folder"))
    limit = params.pop("max_num_timeout", None)
    make_private(folder)
    state = Singleton.get_state()
    jobs = [(list(overrides), "hydra.sweep.dir", n, f"job_id_for_{n}", state) for n in range(count)]
    shared = {field.name for field in fields(BaseQueueConf)}
    try:
        own = {} if limit is None else {f"{cluster}_max_num_timeout": limit}
        executor = AutoExecutor(folder, cluster=cluster, **own)
        executor.update_parameters(
            **{key if key in shared else f"{cluster}_{key}": v for key, v in params.items()}
        )
        # submitit prints what it also raises.
        with redirect_stderr(io.StringIO()), modules_found():
            return executor.map_array(launcher, *zip(*jobs, strict=True))
    except Exception as error:
        raise _refused(launcher, str(error) or type(error).__name__) from error


@contextmanager
def modules_found() -> Iterator[None]:
    """Let jobs that are submitted in the block find the modules that this process finds.

    A job's process does not begin with the user's script, so its folder is not on its path.
    """
    installed = (sys.prefix, sys.base_prefix)
    own = [os.path.abspath(each) for each in sys.path if not each.startswith(installed)]
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(own))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _is_slurm(launcher: BaseSubmititLauncher) -> bool:
    """Return whether a launcher is SLURM's; by name, because Hydra may load its module again."""
    return bool(type(launcher).__name__ == SlurmLauncher.__name__)


def _cluster(launcher: BaseSubmititLauncher) -> str:
    """Return submitit's name for where the jobs run."""
    return "slurm" if _is_slurm(launcher) else "local"


def _refused(launcher: BaseSubmititLauncher, message: str) -> GdexpError:
    """Return why the jobs were refused, with the launcher's key that the message mentions."""
    words = "; ".join(line.removeprefix("sbatch: error: ") for line in message.splitlines())
    for key in REFUSABLE_KEYS:
        if launcher.params.get(key) is not None and key in words.lower():
            return GdexpError(f"hydra.launcher.{key}={launcher.params[key]}: refused ({words})")
    return GdexpError(f"hydra.launcher: the jobs were refused ({words})")
