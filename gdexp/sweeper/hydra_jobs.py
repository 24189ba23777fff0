"""The jobs of a Hydra application: composed, run and logged as Hydra's own launcher does."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdexp.core import command_folder, guarded, signals
from gdexp.sweeper.composition_internals import hydra_config, sharing_loader, task_config
from gdexp.sweeper.own_runs import OwnRun, noted_run
from gdexp.sweeps import job_failure

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

ERROR = "error.txt"
"""The file in a job's folder with the traceback of its error."""


NUMBER = "${hydra.job.num}"
"""`hydra.sweep.subdir` where nobody changed it."""


@dataclass
class HydraJobs:
    """The jobs of one sweep.

    Attributes:
        context: of Hydra.
        task: the application's function.
        config: as Hydra composed it for the sweep.
        folders: whether each job has a folder.
        folder: of the sweep, in which the jobs have theirs.
        runs: the MLflow run that the application started in each trial's last job.
    """

    context: HydraContext
    task: TaskFunction
    config: DictConfig
    folders: bool
    folder: str
    runs: dict[int, str] = field(default_factory=dict)

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """Return the config of a job, its part `hydra` included."""
        return self._loader.load_sweep_config(self.config, list(overrides))

    @cached_property
    def _loader(self) -> ConfigLoader:
        return sharing_loader(self.context.config_loader)

    @cached_property
    def are_numbered(self) -> bool:
        """Whether the folder of a job is its number, as it is unless the user names it."""
        from omegaconf import OmegaConf

        written: Any = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)
        return str(written["subdir"]) == NUMBER

    def job(self, number: int, seed: int | None, overrides: Sequence[str]) -> Job:
        """Return a job.

        Args:
            number: of the trial.
            seed: the index of its seed; None where a trial has one job.
            overrides: of the job.
        """
        return Job(self, number, seed, tuple(overrides))


@dataclass
class Job:
    """One call of an application's function.

    Attributes:
        jobs: of the sweep.
        number: of the trial.
        seed: the index of its seed; None where a trial has one job.
        overrides: of its config.
        folder: its own one; it exists where jobs have folders. None before the job is called.
    """

    jobs: HydraJobs
    number: int
    seed: int | None
    overrides: tuple[str, ...]
    folder: Path | None = None

    def composed(self) -> DictConfig:
        """Return its config, which knows the job's number and folder."""
        from omegaconf import open_dict

        config = self.jobs.composed(self.overrides)
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(self.number), self.number
            config.hydra.sweep.dir = self.jobs.folder
            if self.seed is not None:
                config.hydra.sweep.subdir = f"{self.number}/{self.seed}"
        return config

    def found_folder(self) -> str | None:
        """Return the folder that it has from an earlier call; None where there is none."""
        from omegaconf import OmegaConf

        config = self.composed()
        with hydra_config(config):  # the name may have `${hydra:job.num}`
            folder = Path(self.jobs.folder, str(OmegaConf.select(config, "hydra.sweep.subdir")))
        return str(folder) if (command_folder() / folder).is_dir() else None

    def call(self) -> object:
        """Compose the config and call the function; return what it returned.

        Raises:
            Exception: what the function raised.
        """
        from hydra.core.utils import configure_log, setup_globals

        setup_globals()
        config = self.composed()
        before, own = os.getcwd(), OwnRun()
        try:
            with noted_run(own), signals.handlers_kept(), guarded():
                return self._in_folder(config) if self.jobs.folders else self._alone(config)
        finally:
            if own.run_id is not None:
                self.jobs.runs[self.number] = own.run_id
            os.chdir(before)
            hydra = self.jobs.config.hydra
            if self.jobs.folders:
                configure_log(hydra.hydra_logging, hydra.verbose)

    def _in_folder(self, config: DictConfig) -> object:
        """Run the job as Hydra's own launchers do."""
        from hydra.core.utils import run_job
        from omegaconf import OmegaConf

        try:
            done = run_job(
                hydra_context=self.jobs.context,
                task_function=self.jobs.task,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        finally:
            made = OmegaConf.select(config, "hydra.runtime.output_dir")
            self.folder = None if made is None else Path(made)
        return _returned(done)

    def _alone(self, config: DictConfig) -> object:
        """Call the function without a folder, a log file or `.hydra/`."""
        from hydra.core.utils import JobReturn, JobStatus, env_override
        from omegaconf import open_dict, read_write

        callbacks = self.jobs.context.callbacks
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str(command_folder() / self.jobs.folder)
        with hydra_config(config) as known:
            done = JobReturn(overrides=[*self.overrides], cfg=task_config(config), hydra_cfg=known)
            with env_override(config.hydra.job.env_set):
                callbacks.on_job_start(config=config, task_function=self.jobs.task)
                try:
                    done.return_value = self.jobs.task(done.cfg)
                    done.status = JobStatus.COMPLETED
                except Exception as error:
                    done.return_value, done.status = error, JobStatus.FAILED
            callbacks.on_job_end(config=config, job_return=done)
        return _returned(done)

    @contextmanager
    def errors_kept(self) -> Iterator[None]:
        """Write the traceback of an error into the job's folder."""
        try:
            yield
        except BaseException as error:
            if self.folder is not None and self.folder.is_dir():
                _write_traceback(self.folder / ERROR, error)
            raise


def _returned(done: JobReturn) -> object:
    """Return what a job's function returned, or raise what it raised."""
    failure = job_failure(done)
    if failure is not None:
        raise failure
    return done.return_value


def _write_traceback(path: Path, error: BaseException) -> None:
    text = "".join(traceback.format_exception(error))
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError:  # the reason is in the study
        return


def group_options(context: HydraContext, group: str) -> list[str]:
    """Return the files of a config group."""
    from hydra.core.object_type import ObjectType

    found: list[Any] = context.config_loader.get_group_options(
        group, results_filter=ObjectType.CONFIG
    )
    return [str(each) for each in found]
