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

from gdexp.core import command_folder
from gdexp.sweeper.composition_internals import set_hydra_config, sharing_loader, task_config
from gdexp.sweeper.own_runs import OwnRun, noted_run
from gdexp.sweeps import job_failure

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

ERROR = "error.txt"
"""The file in a job's folder with the traceback of its error."""


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

    def job(self, number: int, seed: int | None, overrides: Sequence[str]) -> Job:
        """Return a job.

        Args:
            number: of the trial.
            seed: the index of its seed; None where a trial has one job.
            overrides: of the job.
        """
        return Job(self, number, seed, tuple(overrides))


@dataclass(frozen=True)
class Job:
    """One call of an application's function.

    Attributes:
        jobs: of the sweep.
        number: of the trial.
        seed: the index of its seed; None where a trial has one job.
        overrides: of its config.
    """

    jobs: HydraJobs
    number: int
    seed: int | None
    overrides: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Its folder; it exists where jobs have folders."""
        return command_folder() / self.jobs.folder / self._place

    @property
    def _place(self) -> str:
        """The name of its folder in that of the sweep."""
        return str(self.number) if self.seed is None else f"{self.number}/{self.seed}"

    def call(self) -> object:
        """Compose the config and call the function; return what it returned.

        Raises:
            Exception: what the function raised.
        """
        from hydra.core.utils import configure_log, setup_globals
        from omegaconf import open_dict

        setup_globals()
        config = self.jobs.composed(self.overrides)
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(self.number), self.number
            config.hydra.sweep.dir = self.jobs.folder
            if self.seed is not None:
                config.hydra.sweep.subdir = self._place
        before, own = os.getcwd(), OwnRun()
        try:
            with noted_run(own):
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

        done = run_job(
            hydra_context=self.jobs.context,
            task_function=self.jobs.task,
            config=config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
        failure = job_failure(done)
        if failure is not None:
            raise failure
        return done.return_value

    def _alone(self, config: DictConfig) -> object:
        """Call the function without a folder, a log file or `.hydra/`."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.core.utils import env_override
        from omegaconf import open_dict, read_write

        known = HydraConfig.instance().cfg
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str(command_folder() / self.jobs.folder)
        set_hydra_config(config)
        try:
            with env_override(config.hydra.job.env_set):
                return self.jobs.task(task_config(config))
        finally:
            HydraConfig.instance().cfg = known

    @contextmanager
    def errors_kept(self) -> Iterator[None]:
        """Write the traceback of an error into the job's folder."""
        try:
            yield
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if self.jobs.folders and self.folder.is_dir():
                self._write(error)
            raise

    def _write(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        try:
            (self.folder / ERROR).write_text(text, encoding="utf-8", errors="replace")
        except OSError:  # the reason is in the study
            return


def group_options(context: HydraContext, group: str) -> list[str]:
    """Return the files of a config group."""
    from hydra.core.object_type import ObjectType

    found: list[Any] = context.config_loader.get_group_options(
        group, results_filter=ObjectType.CONFIG
    )
    return [str(each) for each in found]
