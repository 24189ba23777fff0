"""The plan of a sweep of another application."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gdexp import config
from gdexp.config import APPLICATION
from gdexp.core import UserCode, mask_secrets, user_code
from gdexp.descent import Stopping
from gdexp.experiment import Experiment
from gdexp.optimizers import OwnRule
from gdexp.sweeper.hydra_jobs import HydraJobs
from gdexp.sweeper.job_experiment import JobExperiment, application_facts
from gdexp.sweeper.job_space import JobSpace
from gdexp.sweeper.settings import SweeperSettings
from gdexp.sweeps import (
    Objective,
    Plan,
    StudyEngine,
    check_goal,
    comparable,
    goal_definition,
    objective_name,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

SCHEMA = 1


@dataclass(frozen=True)
class JobPlan(Plan):
    """One sweep of an application's function, described completely.

    Attributes:
        jobs: calls the function.
        given: the keys of `hydra.sweeper`.
        fixed: the overrides that every job has.
        command: the words that start the application without overrides.
    """

    space: JobSpace
    jobs: HydraJobs = field(kw_only=True, compare=False, repr=False)
    given: SweeperSettings = field(kw_only=True)
    fixed: tuple[str, ...] = field(kw_only=True)
    command: tuple[str, ...] = field(kw_only=True, default=())

    tells_failures = True
    step_name = "reported step"

    @classmethod
    def planned(cls, **parts: Any) -> JobPlan:  # noqa: ANN401 (the attributes)
        """Return a complete plan.

        Raises:
            BadInput: names the key.
        """
        plan = cls(engine=StudyEngine("torch"), **parts)
        check_goal(plan)
        return plan._completed()

    def experiment(
        self, parameters: Mapping[str, Any], seed: int = 0, problem: object = None
    ) -> Experiment:
        """Return the experiment of a trial without a number, to read what is recorded of it."""
        return self._experiment(parameters, seed, 0)

    def experiments(
        self, parameters: Mapping[str, Any], number: int | None = None
    ) -> Sequence[Experiment]:
        """Return the experiments of a trial, one for each seed.

        Args:
            parameters: of the trial.
            number: of the trial, after which its folder is named.
        """
        seeds = range(self.settings.seeds)
        return [self._experiment(parameters, seed, number or 0) for seed in seeds]

    def overrides(self, parameters: Mapping[str, Any]) -> list[str]:
        """Return the overrides of a trial, but for that of its seed."""
        return [*self.fixed, *self.space.overrides(parameters)]

    def folder(self, trial: FrozenTrial) -> str | None:
        """Return the folder of a trial in the command's; None where it has none that is known."""
        if not self.jobs.folders:
            return None
        if self.settings.seeds > 1 or self.jobs.are_numbered:
            return str(Path(self.jobs.folder, str(trial.number)))
        return self.jobs.job(trial.number, None, self.overrides(trial.params)).found_folder()

    def _experiment(self, parameters: Mapping[str, Any], seed: int, number: int) -> Experiment:
        overrides = self.overrides(parameters)
        several = self.settings.seeds > 1
        first = int(self.base["problem"].get("first_seed", 0))
        if several:
            key = self.given.seed_key
            overrides = [each for each in overrides if each.partition("=")[0].lstrip("+") != key]
            overrides.append(f"++{key}={first + seed}")
        stopping = dict(self.base["stopping"])
        stopping["threshold"] = (
            -torch.inf if stopping["threshold"] is None else stopping["threshold"]
        )
        configured = self.trial_config(parameters)
        return JobExperiment(
            problem=application_facts(str(self.base["problem"]["application"])),
            rule=OwnRule(),
            stopping=Stopping(**stopping),
            seed=first + seed,
            dtype=torch.float32,
            device=torch.device("cpu"),
            config={**configured, "seed": first + seed},
            job=self.jobs.job(number, seed if several else None, overrides),
            returned=self.given.returned,
            read=[each.metric for each in self.objectives if each.kind in ("best", "last")],
        )

    def own_run(self, number: int) -> str | None:
        """Return the MLflow run that the application started itself in a trial of one job."""
        return self.jobs.runs.pop(number, None) if self.settings.seeds == 1 else None

    @property
    def one_at_a_time(self) -> bool:
        """True: each trial is written as soon as it has ended."""
        return True

    @property
    def told_objectives(self) -> tuple[Objective, ...]:
        """All objectives: a trial without one of their values is told as failed."""
        return self.objectives

    @property
    def subject(self) -> list[tuple[str, str]]:
        """What is swept, as names and values."""
        name = str(self.base["problem"]["application"])
        directions = ", ".join("maximize" if o.maximize else "minimize" for o in self.objectives)
        return [("application", name), ("direction", directions)]

    @property
    def problem_name(self) -> str:
        """The name of the application."""
        return str(self.base["problem"]["application"])

    def repeat_command(self, parameters: Mapping[str, Any], seeds: int | None = None) -> str:
        """Return the command that runs one trial alone."""
        return " ".join([*self.command, *map(shlex.quote, self.overrides(parameters))])

    def trial_config(self, parameters: Mapping[str, Any]) -> config.Config:
        """Return the config of a trial, with the command that repeats it."""
        made = super().trial_config(parameters)
        repeat = mask_secrets(self.repeat_command(parameters))
        return {**made, "problem": {**made["problem"], "repeat": repeat}}

    def user_codes(self) -> list[UserCode]:
        """Return the application's own code, where this process has loaded it."""
        return [user_code(self.given_code)] if self.given_code else []

    @cached_property
    def given_code(self) -> str:
        """The import path of the function; empty where its module has no name here."""
        return code_path(self.jobs.task)

    def examples(self) -> list[Experiment]:
        """Return nothing: a job is never run before its trial."""
        return []

    def definition(self) -> dict[str, Any]:
        """Return what must not change while a study goes on, as JSON values."""
        given = self.given
        stopping = {k: v for k, v in self.base["stopping"].items() if v is not None}
        described = {
            "schema": SCHEMA,
            "config": {
                **{f"stopping.{key}": value for key, value in stopping.items()},
                "application": self.base["problem"]["application"],
                "own_config": self.base["problem"]["own_config"],
                "overrides": [mask_secrets(each) for each in self.fixed],
                "custom_search_space": given.custom_search_space,
                "seed": self.base["seed"],
                **({"seed_key": given.seed_key} if given.seeds > 1 else {}),
            },
            "space": self.space.definition(),
            "files": {},
            "sampler": self.sampler.definition(),
            "objective": objective_name(self),
            **goal_definition(self),
            "seeds": given.seeds,
            "cap": given.cap,
        }
        return comparable(described)

    def _completed(self) -> JobPlan:
        plan = super()._completed()
        assert isinstance(plan, JobPlan), "a replaced plan keeps its class"
        return replace(plan, earlier_name=None)

    def _name_in(self, store: str) -> str:
        """Return the automatic name of the study, which does not depend on the store."""
        name = self.problem_name.rpartition(".")[0] or self.problem_name
        return f"{name}-{config.digest(self.definition())[:8]}"


def code_path(task: Callable[..., object]) -> str:
    """Return the import path of an application's function."""
    return f"{task.__module__}.{getattr(task, '__name__', type(task).__name__)}"


def base_of(given: SweeperSettings, problem: Mapping[str, Any], seed: int) -> config.Config:
    """Return what every trial starts from.

    Args:
        given: the keys of `hydra.sweeper`.
        problem: the name of the application, the digest of its config, and its first seed.
        seed: of the sweep.
    """
    return {
        "problem": {"name": APPLICATION, **problem},
        "optimizer": {"name": OwnRule.name},
        "stopping": given.stopping(),
        "seed": seed,
        "dtype": "float32",
        "device": "cpu",
    }
