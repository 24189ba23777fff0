"""Another Hydra application as what a sweep runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from gdexp import config
from gdexp.config import literal
from gdexp.core import BadInput, command_folder
from gdexp.display import terminal
from gdexp.experiment import CheckpointSettings
from gdexp.sweeper.custom_space import suggestions
from gdexp.sweeper.grammar import Expressions, read_expressions
from gdexp.sweeper.hydra_jobs import HydraJobs, group_options
from gdexp.sweeper.job_plan import JobPlan, base_of, code_path
from gdexp.sweeper.job_space import JobSpace
from gdexp.sweeper.old_space import old_dimensions
from gdexp.sweeper.results_file import write_results_file
from gdexp.sweeper.samplers import read_sampler
from gdexp.sweeper.settings import SECTION, SweeperSettings
from gdexp.sweeper.words import SweeperConsole
from gdexp.sweeps import (
    ORDER_VARIABLE,
    LocalWorkers,
    Plan,
    StartedBy,
    SweepResult,
    WorkerCommand,
    WorkerLauncher,
    Workers,
    check_no_password,
    check_storage,
    cores,
    load_study,
    run_planned_worker,
    threads_per_worker,
)
from gdexp.tracking import TrackingSettings

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig
    from optuna import Study
    from rich.console import Console

FOLDER = "gdexp.sweep_folder"
"""The study's attribute with the folder of the jobs, as `hydra.sweep.dir` gave it at first."""

CHANGING = "now:"
"""What a folder's name holds that is another one at each start."""

Order = dict[str, Any]
"""What a worker is told: the study's name, storage, trials and sampler, and its threads."""


class HydraApplication:
    """The function of a Hydra application, with everything that a sweep of it needs.

    It is pickled for the jobs of a launcher.

    Args:
        given: the keys of `hydra.sweeper` as plain values.
        context: of Hydra.
        task: the function.
        composed: the config as Hydra composed it.
        arguments: the overrides of the command line, ranges included.

    Raises:
        BadInput: names the key.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        context: HydraContext,
        task: TaskFunction,
        composed: DictConfig,
        arguments: list[str],
    ) -> None:
        self.settings = SweeperSettings.of(given)
        self._context, self._task, self._composed = context, task, composed
        self._arguments = arguments

    @cached_property
    def _sampler(self) -> tuple[str | Mapping[str, Any], int]:
        return read_sampler(self.settings.sampler)

    @cached_property
    def _expressions(self) -> Expressions:
        sampler = self._sampler[0]
        name = sampler if isinstance(sampler, str) else sampler["name"]
        return read_expressions(
            self.settings.params or {},
            self._arguments,
            lambda group: group_options(self._context, group),
            exclusive=name == "grid",
        )

    @property
    def text(self) -> str:
        """All that the user wrote, as text: the config and the command line."""
        return "\n".join([OmegaConf.to_yaml(self._composed), *self._arguments])

    def console(self) -> Console:
        """Return the console that the sweep prints to."""
        key = f"{self.settings.failure_key}"
        return SweeperConsole(terminal.console(), {"sweep.max_failures": key})

    def plan(self, launcher: WorkerLauncher | None) -> JobPlan:
        """Return the sweep's plan after all checks that write nothing."""
        plan = self._plan()
        if plan.settings.preview:
            return plan
        if launcher is not None:
            launcher.check()
            check_no_password(plan)
        elif plan.settings.worker_count > 1:
            _check_repeatable()
        if plan.tracks:
            plan.tracking.preflight()
        check_storage(plan)
        return plan

    def _plan(self) -> JobPlan:
        settings, hydra = self.settings, self._composed.hydra
        sampler, seed = self._sampler
        tracking = settings.tracking_settings(str(hydra.job.name))
        jobs = HydraJobs(
            self._context, self._task, self._composed, settings.job_dirs, str(hydra.sweep.dir)
        )
        function = code_path(self._task).rpartition(".")[2]
        problem: dict[str, Any] = {
            "application": f"{hydra.job.name}.{function}",
            "own_config": self._digest(),
        }
        if settings.seeds > 1:
            problem["first_seed"] = self._first_seed()
        return JobPlan.planned(
            base=base_of(settings, problem, seed),
            space=self._space(),
            settings=settings.sweep_settings(sampler),
            tracking=tracking or TrackingSettings(),
            tracks=tracking is not None,
            checkpoint=CheckpointSettings(every=None),
            jobs=jobs,
            given=settings,
            fixed=tuple(self._expressions.lines),
            command=(*_command(), *(() if _asked_for(hydra) else ("hydra.mode=RUN",))),
        )

    def _space(self) -> JobSpace:
        settings, dimensions = self.settings, dict(self._expressions.dimensions)
        for note in self._expressions.notes:
            terminal.print_warning(note)
        if settings.search_space is not None and settings.params is None:
            terminal.print_warning(
                f"{SECTION}.search_space is how hydra-optuna-sweeper 1.1 wrote it; "
                f"{SECTION}.params says the same in Hydra's grammar"
            )
            fixed = {key.lstrip("+") for key in self._expressions.fixed}
            old = old_dimensions(settings.search_space)
            dimensions = {k: d for k, d in old.items() if k not in fixed} | dimensions
        elif settings.search_space is not None:
            terminal.print_warning(f"{SECTION}.search_space is ignored beside {SECTION}.params")
        suggest = None
        if settings.custom_search_space is not None:
            suggest = suggestions(
                settings.custom_search_space, self._composed, self._expressions.fixed
            )
        if not dimensions and suggest is None:
            raise BadInput(
                f"{SECTION}.params", "{}", "sweeps nothing; give a key a range: 'lr=interval(0,1)'"
            )
        return JobSpace(tuple(dimensions.values()), suggest=suggest)

    def _digest(self) -> str:
        """Return the digest of the application's own config, before anything is swept."""
        names = [str(key) for key in self._composed if key != "hydra"]
        container = OmegaConf.to_container(
            OmegaConf.masked_copy(self._composed, names), resolve=False
        )
        return str(config.digest(container))

    def _first_seed(self) -> int:
        key = self.settings.seed_key
        found = OmegaConf.select(self._composed, key)
        for override in self._expressions.fixed.values():
            if str(override.get_key_element()).lstrip("+") == key:
                found = override.value()
        if found is not None and (isinstance(found, bool) or not isinstance(found, int)):
            raise BadInput(f"{SECTION}.seed_key", key, "must be a whole number in the config")
        return 0 if found is None else int(found)

    def opened(self, plan: Plan, study: Study) -> None:
        """Let the jobs have the folder that the study began with, unless another one is given."""
        assert isinstance(plan, JobPlan), "the plan of this application"
        written = OmegaConf.to_container(self._composed.hydra.sweep, resolve=False)
        changes = isinstance(written, dict) and CHANGING in str(written.get("dir"))
        known = study.user_attrs.get(FOLDER)
        if known is not None and changes:
            plan.jobs.folder = str(known)
        elif known != plan.jobs.folder:
            study.set_user_attr(FOLDER, plan.jobs.folder)
        if plan.jobs.folders:
            terminal.print_line(self.console(), _folders_line(plan))

    def run_worker(self, plan: Plan) -> Exception | None:
        """Run the only worker in this process; return the error that it ended with."""
        try:
            self._work(plan, self._order(plan, None), None)
        except Exception as error:
            return error
        return None

    def work(self, order: Order, started_by: StartedBy) -> None:
        """Run one of several workers, in a process of its own.

        Args:
            order: from the driver.
            started_by: what started the process.
        """
        if order["threads"] is not None:
            import torch

            torch.set_num_threads(order["threads"])
        self._work(self._plan(), order, started_by)

    def _work(self, plan: Plan, order: Order, started_by: StartedBy | None) -> None:
        assert isinstance(plan, JobPlan), "the plan of this application"
        known = {key: order[key] for key in ("name", "storage", "n_trials", "sampler")}
        settings = replace(plan.settings, **known)
        study = load_study(settings)
        plan.jobs.folder = str(study.user_attrs[FOLDER])
        run_planned_worker(replace(plan, settings=settings), study, started_by)

    def _order(self, plan: Plan, threads: int | None) -> Order:
        return {
            "name": plan.name,
            "storage": plan.storage_server or str(plan.journal),
            "n_trials": plan.n_trials,
            "sampler": plan.sampler.definition(),
            "threads": threads,
        }

    def start_workers(self, plan: Plan, count: int, lock: int | None) -> Workers:
        """Start workers: this process's own command again, which then finds its order."""
        order = json.dumps(self._order(plan, threads_per_worker(count, cores()))) + "\n"
        folder = command_folder() / "sweeps" / plan.name / "workers"
        folder.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, *sys.orig_argv[1:]]
        return LocalWorkers(
            [
                WorkerCommand(words, order, {ORDER_VARIABLE: ""}, folder / f"{number}.log")
                for number in range(count)
            ],
            lock,
        )

    def orders(self, plan: Plan) -> list[str]:
        """Return the overrides of a worker that a launcher starts: a folder beside the trials'."""
        assert isinstance(plan, JobPlan), "the plan of this application"
        self.launched = self._order(plan, None)
        return [
            f"hydra.sweep.dir={literal(plan.jobs.folder)}",
            "hydra.sweep.subdir='.workers/${hydra.job.num}'",
            "hydra.output_subdir=null",
        ]

    def write_result(self, plan: Plan, result: SweepResult) -> None:
        """Write `optimization_results.yaml` into the folder of the jobs."""
        assert isinstance(plan, JobPlan), "the plan of this application"
        write_results_file(plan, result)


def _folders_line(plan: JobPlan) -> str:
    """Return where the folders of the trials are."""
    folder = plan.jobs.folder
    if plan.settings.seeds > 1 or plan.jobs.are_numbered:
        return f"Trial N has the folder {folder}/N."
    return f"Each trial has a folder in {folder}, as hydra.sweep.subdir names it."


def _check_repeatable() -> None:
    """Refuse several workers where this process cannot be started again."""
    words = sys.orig_argv[1:]
    if not words or "-" in words or hasattr(sys, "ps1"):
        raise BadInput(
            f"{SECTION}.workers", "", "needs an application in a file: each worker starts it again"
        )


def _asked_for(hydra: DictConfig) -> bool:
    """Return whether the command line asks for many jobs, not a file: Hydra notes it there."""
    typed = OmegaConf.to_container(hydra.overrides.hydra, resolve=False)
    return isinstance(typed, list) and "hydra.mode=MULTIRUN" in typed


def _command() -> tuple[str, ...]:
    """Return the words that start this application."""
    words = sys.orig_argv
    at = next((i for i, word in enumerate(words) if word == "-m"), len(words))
    if at < len(words) - len(sys.argv[1:]) - 1:
        return ("python", "-m", words[at + 1])
    script = Path(sys.argv[0])
    if script.suffix != ".py" and os.access(script, os.X_OK):
        return (script.name,)
    return ("python", os.path.relpath(script, command_folder()))
