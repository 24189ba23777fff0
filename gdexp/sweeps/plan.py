"""The plan of a sweep, completed and checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from gdexp import config
from gdexp.core import UserCode, user_code
from gdexp.descent import SECONDS
from gdexp.engine import Plans
from gdexp.experiment import LOOP, CheckpointSettings, Experiment
from gdexp.sweeps.completed_settings import DEFAULT_TRIALS, completed_settings
from gdexp.sweeps.goal import (
    check_goal,
    trial_space,
    trial_stopping,
    with_declared_directions,
)
from gdexp.sweeps.made_experiments import MadeExperiments
from gdexp.sweeps.objective import HITTING_TIME, Objective
from gdexp.sweeps.objective import THRESHOLD as THRESHOLD_OBJECTIVE
from gdexp.sweeps.problem_checks import check_problems
from gdexp.sweeps.problem_list import ListedProblem
from gdexp.sweeps.pruning import NONE, Pruner
from gdexp.sweeps.repeat_command import repeat_commands
from gdexp.sweeps.sampling import AUTO, Sampler
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import Space
from gdexp.sweeps.space_check import check_space
from gdexp.sweeps.store_name import store_name
from gdexp.sweeps.study_definition import study_definition
from gdexp.sweeps.study_engine import ENGINE, KEPT, StudyEngine
from gdexp.sweeps.study_files import checkpoints_path, journal_path
from gdexp.tracking import TrackingSettings, is_postgresql

LR, THRESHOLD = "optimizer.lr", "stopping.threshold"
MOST_PLANS = 256
"""Plans of descents that are kept, for trials that are like earlier ones."""

CONTINUE_TO = "continue_to"
"""The key of `sweep`, and of a trial's `stopping`."""


@dataclass(frozen=True)
class Plan:
    """One sweep, described completely.

    Attributes:
        base: the plain config that every trial starts from.
        space: the keys that the trials change in it.
        settings: with `name`, `n_trials` and `sampler` filled in.
        tracking: the MLflow store of the runs.
        earlier_name: the name that version 0.1.0 gave the study, which held the absolute path of
            the store; None where the user gave a name.
        written: the plan as version 0.1.0 made it, where the space lists equal values; else None.
        engine: of the trials; None where it is swept, or not known yet.
        plans: keeps what is recorded of the losses.
        checkpoint: when a trial is saved.
        problems: on which every trial runs; none where it runs on that of the base config.
        held_out: on which the winner runs at the end.
        tracks: whether trials and sweep have runs in MLflow.
        auto: whether the sampler was left to gdexp.
    """

    base: config.Config
    space: Space
    settings: SweepSettings
    tracking: TrackingSettings
    earlier_name: str | None = None
    written: Plan | None = None
    engine: StudyEngine | None = None
    plans: Plans = field(default_factory=lambda: Plans(MOST_PLANS), repr=False, compare=False)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings, compare=False)
    problems: tuple[ListedProblem, ...] = ()
    held_out: tuple[ListedProblem, ...] = ()
    tracks: bool = True
    auto: bool = False
    tells_failures: ClassVar[bool] = False
    """Whether Optuna is told FAIL of a failed trial; else the worst value there is."""
    step_name: ClassVar[str] = "gradient step"
    """What an iteration is called."""

    @classmethod
    def build(
        cls,
        composed: Mapping[str, Any],
        space: Space,
        problems: tuple[ListedProblem, ...] = (),
        held_out: tuple[ListedProblem, ...] = (),
    ) -> Plan:
        """Build the plan of a sweep.

        Args:
            composed: the checked config, without sweep expressions from the command line.
            space: the keys that the trials change.
            problems: of `sweep.problems`.
            held_out: of `sweep.held_out`.

        Raises:
            BadInput: names the full key.
        """
        tracking = config.construct("tracking", TrackingSettings, composed["tracking"])
        settings = config.construct("sweep", SweepSettings, composed["sweep"])
        base = {**config.outcome(composed), **(problems[0].config if problems else {})}
        settings = with_declared_directions(settings, base)
        space = trial_space(settings, base["stopping"], space)
        base["stopping"] = trial_stopping(settings, base["stopping"])
        if settings.continue_to is not None:  # only then, so that earlier sweeps keep their names
            base["stopping"] = {**base["stopping"], CONTINUE_TO: settings.continue_to}
        saves = CheckpointSettings.of(composed)
        plan = cls(base, space, settings, tracking, checkpoint=saves)
        plan = replace(plan, problems=problems, held_out=held_out)
        check_problems(plan)
        engine = StudyEngine.of(check_space(plan))
        plan = replace(plan, engine=None if ENGINE in space.keys else engine)
        check_goal(plan)
        repeated = space.as_written()
        written = None if repeated is None else replace(plan, space=repeated)._completed()
        return replace(plan, written=written)._completed()

    def experiment(
        self, parameters: Mapping[str, Any], seed: int = 0, problem: ListedProblem | None = None
    ) -> Experiment:
        """Return the experiment of a trial, from the parameters that Optuna stores.

        Args:
            parameters: of the trial.
            seed: the index of the seed, from 0.
            problem: None: that of the base config, which is the first of several.
        """
        configured = self.trial_config(parameters)
        if problem is not None:
            configured = {**configured, **problem.config}
        if seed:
            configured = {**configured, "seed": int(configured["seed"]) + seed}
        made = self._made.of(configured)
        return made.on_torch() if self.engine is not None and self.engine.name == "torch" else made

    @cached_property
    def _made(self) -> MadeExperiments:
        return MadeExperiments(self.plans, len(self.problems) + len(self.held_out))

    def experiments(
        self, parameters: Mapping[str, Any], number: int | None = None
    ) -> Sequence[Experiment]:
        """Return the experiments of a trial, by problem and seed; its number changes nothing."""
        return [self.experiment_at(parameters, place) for place in range(self.descents)]

    def experiment_at(self, parameters: Mapping[str, Any], place: int) -> Experiment:
        """Return the experiment of one of the descents of a trial."""
        problem, seed = divmod(place, self.settings.trial_seeds)
        return self.experiment(parameters, seed, self.problems[problem] if self.problems else None)

    @property
    def descents(self) -> int:
        """The descents of a trial."""
        return self.settings.trial_seeds * max(len(self.problems), 1)

    def trial_config(self, parameters: Mapping[str, Any]) -> config.Config:
        """Return the config of a trial."""
        return self.space.trial_config(self.base, parameters)

    def recorded_config(self, made: Mapping[str, Any]) -> config.Config:
        """Return a config with the engine that all trials have, if they have one."""
        known = self.engine is not None and self.engine.name != "auto"
        return {**made, ENGINE: self.engine.name} if self.engine and known else dict(made)

    def learning_rate(self, parameters: Mapping[str, Any]) -> float | None:
        """Return the learning rate of a trial; None where it is not swept.

        Args:
            parameters: of the trial, as Optuna stores them.
        """
        rate = self.space.by_key(parameters).get(LR)
        return float(rate) if isinstance(rate, int | float) else None

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.settings.name)

    @property
    def n_trials(self) -> int:
        """The number of trials that ends the sweep."""
        return int(self.settings.n_trials or DEFAULT_TRIALS)

    @property
    def sampler(self) -> Sampler:
        """The sampler that chooses the trials."""
        return Sampler.parse(self.settings.sampler)

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What is minimised or maximised."""
        return self.settings.objectives(self.base["stopping"])

    @property
    def several(self) -> bool:
        """Whether there are several objectives, whose Pareto front is looked for."""
        return len(self.objectives) > 1

    @property
    def pareto(self) -> bool:
        """Whether the threshold is minimised too, beside the hitting time."""
        return self.several and not self.told_objectives

    @property
    def counts_iterations(self) -> bool:
        """Whether a trial must come to its threshold to win: nothing else is minimised."""
        return not any(each.is_value for each in self.objectives)

    @property
    def told_objectives(self) -> tuple[Objective, ...]:
        """The objectives, where a trial's record must hold their values beside its count."""
        kinds = {each.kind for each in self.objectives}
        return () if kinds <= {HITTING_TIME, THRESHOLD_OBJECTIVE} else self.objectives

    @cached_property
    def pruner(self) -> Pruner:
        """The pruner that ends trials early."""
        return Pruner.parse(self.settings.pruner)

    @property
    def one_at_a_time(self) -> bool:
        """Whether trials must run alone: they are pruned, or their time is compared."""
        return self.pruner.name != NONE or any(each.kind == SECONDS for each in self.objectives)

    @property
    def on_gpu(self) -> bool:
        """Whether all trials run on a GPU."""
        return "device" not in self.space.keys and str(self.base["device"]).startswith("cuda")

    @property
    def problem_name(self) -> str:
        """The name of the problem; `problems` where there are several."""
        several = "problem" in self.space.variants or bool(self.problems)
        return "problems" if several else str(self.base["problem"]["name"])

    @property
    def rule_name(self) -> str:
        """The name of the update rule; `rules` where several are swept."""
        swept = "optimizer" in self.space.variants
        own = self.base["problem"].get("name") == LOOP
        return "rules" if swept else "own" if own else str(self.base["optimizer"]["name"])

    @property
    def subject(self) -> list[tuple[str, str]]:
        """What is swept, as names and values."""
        names = "\n".join(each.name for each in self.problems)
        if names:
            return [("problems", names), ("rule", self.rule_name)]
        return [("problem", f"{self.problem_name}, {self.rule_name}")]

    def repeat_command(self, parameters: Mapping[str, Any], seeds: int | None = None) -> str:
        """Return the command that runs one trial alone, with all seeds; one for each problem.

        Args:
            parameters: of the trial.
            seeds: that it has after a race; None: those of every trial.
        """
        chosen = self.trial_config(parameters)
        if self.engine is not None and self.engine.name == "torch":
            chosen = self.recorded_config(chosen)
        configs = [{**chosen, **each.config} for each in self.problems] or [chosen]
        return repeat_commands(configs, seeds or self.settings.trial_seeds)

    def own_run(self, number: int) -> str | None:
        """Return the MLflow run that a trial's own code started; gdexp's own starts none."""
        return None

    @property
    def storage_server(self) -> str | None:
        """The address of the server that stores the study; None where a file does."""
        given = self.settings.storage
        return given if given is not None and is_postgresql(given) else None

    @property
    def journal(self) -> Path:
        """The absolute path of the study's journal file."""
        return journal_path(self.settings.storage, self.name)

    @property
    def checkpoints(self) -> Path:
        """The absolute path of the folder of the trials' checkpoints."""
        return checkpoints_path(None if self.storage_server else self.journal, self.name)

    def with_sampler(self, sampler: str | Mapping[str, Any]) -> Plan:
        """Return the plan with another sampler, and with the names that follow from it."""
        settings = replace(self.settings, sampler=sampler)
        if self.earlier_name is not None:
            settings = replace(settings, name=None)
        return replace(self, settings=settings)._completed()

    def with_engine(self, name: str) -> Plan:
        """Return the plan with the engine that its study began with, and the names that follow."""
        settings = self.settings
        if self.earlier_name is not None:
            settings = replace(settings, name=None)
        reasons = (("", KEPT),) if name == "torch" else ()
        kept = StudyEngine(name, reasons)
        return replace(self, settings=settings, engine=kept)._completed()

    def with_other_engines(self) -> list[Plan]:
        """Return the plan with each other engine that its study may have, if it may have any."""
        asked = self.base.get(ENGINE)
        if asked != "auto" or self.engine is None:
            return []
        others = ("torch", "portable", "auto")
        return [self.with_engine(each) for each in others if each != self.engine.name]

    def user_codes(self) -> list[UserCode]:
        """Return the user's own code and data behind the configs that trials may have."""
        listed = [each.config for each in (*self.problems, *self.held_out)]
        configs = [self.base, *self.space.parts_of_configs(), *listed]
        paths = [path for each in configs for path in config.import_paths(each)]
        return [user_code(path) for path in dict.fromkeys(paths)]

    def examples(self) -> list[Experiment]:
        """Return one experiment for each combination of swept files, swept path and problem."""
        return [
            self.experiment(self.space.encoded(each), problem=problem)
            for each in self.space.examples()
            for problem in self.problems or (None,)
        ]

    def definition(self) -> dict[str, Any]:
        """Return what must not change while a study goes on, as JSON values.

        A key that means what happened before there was such a key is left out.
        """
        return study_definition(self)

    def _completed(self) -> Plan:
        settings, auto = completed_settings(self), self.auto or self.sampler.name == AUTO
        plan = replace(self, settings=settings, auto=auto)
        if settings.name is not None:
            return plan
        name, earlier = (
            plan._name_in(store) for store in (store_name(self.tracking), self.tracking.store_key)
        )
        return replace(plan, settings=replace(settings, name=name), earlier_name=earlier)

    def _name_in(self, store: str) -> str:
        """Return the automatic name of the study of this plan, with its runs in this store."""
        tail = config.digest([self.definition(), [store, self.tracking.experiment]])[:8]
        return f"{self.problem_name}-{self.rule_name}-{tail}"
