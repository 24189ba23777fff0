"""gdexp's own experiments as what a sweep runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from gdexp import config
from gdexp.core import json_output
from gdexp.display import terminal
from gdexp.sweeps.launchers import (
    LocalWorkers,
    WorkerLauncher,
    Workers,
    threads_per_worker,
    worker_command,
)
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import check_given, listed_problems
from gdexp.sweeps.settings import cores
from gdexp.sweeps.space import compose_space
from gdexp.sweeps.study import (
    check_no_password,
    check_storage,
    continue_moved_study,
    continuing,
)
from gdexp.sweeps.worker_overrides import worker_overrides

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig
    from optuna import Study
    from rich.console import Console

    from gdexp.sweeps.results import SweepResult

Compose = Callable[[list[str]], "DictConfig"]
Launch = Callable[[list[list[str]]], None]


class OwnApplication:
    """gdexp's own experiments.

    Args:
        arguments: every override of the command line, ranges included.
        compose: overrides without ranges to a config.
        launch: runs the task function once for each list of overrides, in this process.
    """

    def __init__(self, arguments: list[str], compose: Compose, launch: Launch) -> None:
        self._arguments, self._compose, self._launch = arguments, compose, launch

    @cached_property
    def _given(self) -> list[Override]:
        return config.parse_overrides(self._arguments)

    def _composed(self, lines: list[str]) -> config.Config:
        made = config.plain(_without_hydra(self._compose(lines)))
        config.check_keys(made)
        json_output.begin(made.get("output"), "sweep")
        return made

    def console(self) -> Console:
        """Return the console that the sweep prints to."""
        return terminal.console()

    def plan(self, launcher: WorkerLauncher | None) -> Plan:
        """Return the sweep's plan after all checks that write nothing.

        A plan for a preview is checked only as far as its own values go.
        """
        base, space = compose_space(self._given, self._composed)
        problems, held_out = (
            listed_problems(key, base["sweep"].get(key), self._given, self._composed)
            for key in ("problems", "held_out")
        )
        if problems:
            check_given(self._given, space.keys)
        plan = Plan.build(base, space, problems, held_out)
        sampler_given = any(o.get_key_element().startswith("sweep.sampler") for o in self._given)
        if plan.storage_server is None:
            plan = continuing(plan, sampler_given)
        if plan.settings.preview:
            return plan
        if launcher is not None:
            launcher.check()
            check_no_password(plan)
        plan.tracking.preflight()
        if base["sweep"]["name"] is None:
            plan = continue_moved_study(plan, sampler_given)
        check_storage(plan)
        return plan if plan.storage_server is None else continuing(plan, sampler_given)

    def run_worker(self, plan: Plan) -> Exception | None:
        """Run the only worker in this process; return the error that it ended with."""
        try:
            self._launch([self.orders(plan)])
        except Exception as error:
            return error
        return None

    def start_workers(self, plan: Plan, count: int, lock: int | None) -> Workers:
        """Start workers as processes of this machine."""
        order = {
            "config": self._composed(self.orders(plan)),
            "threads": threads_per_worker(count, cores()),
        }
        return LocalWorkers([worker_command(order)] * count, lock)

    def orders(self, plan: Plan) -> list[str]:
        """Return the overrides of a worker that a Hydra launcher starts."""
        return worker_overrides(plan, self._given)

    def opened(self, plan: Plan, study: Study) -> None:
        """Do nothing: a worker finds all it needs in the study."""

    def write_result(self, plan: Plan, result: SweepResult) -> None:
        """Do nothing: MLflow holds the results."""


def _without_hydra(cfg: DictConfig) -> DictConfig:
    from omegaconf import OmegaConf

    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
