"""Workers as jobs of submitit: handed in at once, watched one by one, cancelled at the end."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from typing import Any, Protocol

from submitit import AutoExecutor, Job
from submitit.core.utils import JobPaths, UncompletedJobError

from gdexp.core import BadInput, GdexpError, relative, signals
from gdexp.sweeps.launchers.base import END_SECONDS
from gdexp.sweeps.launchers.slurm_queue import SlurmQueue
from gdexp.sweeps.study import STOP

LOOK_SECONDS = 1.0
"""Between two looks at the jobs."""

RESULT_SECONDS = 5.0
"""A file system that several machines share may show so late what a job wrote last."""

SLURM, COMMANDS = "slurm", ("sbatch", "srun", "squeue", "scancel")
REFUSED = ("partition", "account", "qos", "constraint", "gres")
"""Keys of the launcher that a cluster may refuse by name."""


class Submitit(Protocol):
    """The launchers of Hydra's plugin for submitit: for SLURM, and for this machine."""

    params: Mapping[str, Any]
    _EXECUTOR: str

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401
        """Be a job."""


def check_cluster(launcher: Submitit) -> None:
    """Look whether jobs can be handed in from here.

    Raises:
        BadInput: SLURM's commands are not there.
    """
    missing = [name for name in COMMANDS if shutil.which(name) is None]
    if launcher._EXECUTOR == SLURM and missing:
        raise BadInput(
            "hydra/launcher",
            "submitit_slurm",
            f"there is no {missing[0]} here; start this sweep where a SLURM cluster takes jobs",
        )


class SlurmWorkers:
    """Workers that are jobs.

    Args:
        launcher: that Hydra made of the config.
        overrides: that each worker composes its config from.
        count: how many.
        tell: sets an attribute of the study.

    Raises:
        GdexpError: the cluster refuses the jobs.
    """

    def __init__(
        self,
        launcher: Submitit,
        overrides: Sequence[str],
        count: int,
        tell: Callable[[str, Any], None],
    ) -> None:
        self._tell, self._launcher = tell, launcher
        self._queue = SlurmQueue.watching() if launcher._EXECUTOR == SLURM else None
        tell(STOP, None)
        with signals.ending():  # a signal comes when there is something that can be cancelled
            jobs = _submitted(launcher, overrides, count)
        self._jobs = [_Job(job.task(n)) for job in jobs for n in range(job.num_tasks)]
        self._looked = -LOOK_SECONDS

    def ended(self) -> bool:
        """Whether every job is at its end."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()
        return all(job.over for job in self._jobs)

    def _look(self) -> None:
        for job in self._jobs:
            job.look()
        self._looked = time.monotonic()

    def lost(self) -> list[str]:
        """Jobs that ended without leaving a result."""
        fresh = [job for job in self._jobs if job.over and not (job.returned or job.noted)]
        for job in fresh:
            job.noted = True
        return [f"job {job.id} was ended; others take over its trials" for job in fresh]

    def failure(self) -> Exception | None:
        """The first error that a job came back with, or else the last words of one that did not."""
        over = [job for job in self._jobs if job.over]
        for job in sorted(over, key=lambda job: not job.returned):
            error = job.error()
            if isinstance(error, UncompletedJobError):  # by submitit, when it is told to go
                limit = self._launcher.params["max_num_timeout"]
                return GdexpError(
                    f"hydra.launcher.max_num_timeout={limit}: job {job.id} came to its time limit "
                    "more often than that; the same command continues"
                )
            if error is not None:
                return error
        return None

    def end(self, soon: bool) -> None:
        """Let those that are at work end, and cancel what is left then."""
        if soon:
            self._tell(STOP, os.getpid())
        if self._queue is not None:
            self._queue.cancel([job.id for job in self._jobs if not job.over], waiting=True)
        self._wait()
        left = [job for job in self._jobs if not job.over]
        if self._queue is not None:
            self._queue.cancel([job.id for job in left])
        else:
            for job in left:
                job.task.cancel(check=False)
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + END_SECONDS
        while not self.ended() and time.monotonic() < until:
            time.sleep(LOOK_SECONDS / 4)
            if self._queue is not None and time.monotonic() - self._looked >= LOOK_SECONDS:
                self._queue.update()  # sooner than it would by itself


@dataclass
class _Job:
    """A job, as far as its driver knows.

    Attributes:
        task: how submitit sees it.
        over: whether it is at its end.
        returned: whether it left a result, an error perhaps.
        noted: whether it was said that it left none.
        silent: since when it is not there, but may still have left one.
    """

    task: Job[Any]
    over: bool = False
    returned: bool = False
    noted: bool = False
    silent: float | None = None

    @property
    def id(self) -> str:
        """As the cluster calls it."""
        return self.task.job_id

    def look(self) -> None:
        """See what has become of it."""
        if self.over:
            return
        there = not self.task.done()
        self.returned = self.task.paths.result_pickle.exists()
        if there:
            self.silent = None
        elif self.silent is None:
            self.silent = time.monotonic()
        late = self.silent is not None and time.monotonic() - self.silent > RESULT_SECONDS
        self.over = self.returned or late

    def error(self) -> Exception | None:
        """What it ended with, unless it is as it should be."""
        if self.returned:
            try:
                returned = self.task.result()
            except Exception:  # it did not get as far as to its own work
                return GdexpError(self._words())
            failed = getattr(returned, "_return_value", None)
            return failed if isinstance(failed, Exception) else None
        return GdexpError(self._words())

    def _words(self) -> str:
        log = self.task.paths.stderr
        text = log.read_text(errors="replace") if log.exists() else ""
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        # What started the job also has a last word, which says less than the job's own.
        telling = [line for line in lines if not line.startswith(("srun: ", "slurmstepd"))] or lines
        if telling:
            return f"job {self.id}: {telling[-1]} (all of it in {relative(log)})"
        return f"job {self.id} was ended, and left no word in {relative(log.parent)}"


def _submitted(launcher: Submitit, overrides: Sequence[str], count: int) -> list[Job[Any]]:
    """Hand the jobs in, as the launcher itself does: but it would then wait for their end."""
    from hydra.core.singleton import Singleton

    kind, params = launcher._EXECUTOR, dict(launcher.params)
    folder = str(params.pop("submitit_folder"))
    limit = params.pop("max_num_timeout", None)
    _make_private(folder)
    state = Singleton.get_state()
    each = [(list(overrides), "hydra.sweep.dir", n, f"job_id_for_{n}", state) for n in range(count)]
    try:
        own = {} if limit is None else {f"{kind}_max_num_timeout": limit}
        executor = AutoExecutor(folder, cluster=kind, **own)
        shared = executor._valid_parameters()
        executor.update_parameters(
            **{name if name in shared else f"{kind}_{name}": v for name, v in params.items()}
        )
        with redirect_stderr(io.StringIO()):  # what sbatch says is printed there, and raised too
            return executor.map_array(launcher, *zip(*each, strict=True))
    except Exception as error:
        raise _refused(launcher, str(error) or type(error).__name__) from error


def _make_private(folder: str) -> None:
    """Make the folder of jobs for nobody else's eyes: configs and logs are kept in it."""
    JobPaths.get_first_id_independent_folder(folder).mkdir(0o700, parents=True, exist_ok=True)


def _refused(launcher: Submitit, said: str) -> GdexpError:
    """Why the jobs could not be handed in, with the key that the cluster speaks of."""
    words = "; ".join(line.removeprefix("sbatch: error: ") for line in said.splitlines())
    for key in REFUSED:
        if launcher.params.get(key) is not None and key in words.lower():
            return GdexpError(f"hydra.launcher.{key}={launcher.params[key]}: refused ({words})")
    return GdexpError(f"hydra.launcher: the jobs were refused ({words})")
