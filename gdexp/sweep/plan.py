"""What a sweep is going to do, worked out and checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.errors import BadInput
from gdexp.experiment import Experiment, typed_here
from gdexp.place import here
from gdexp.sweep.samplers import AUTO, GRID, Sampler
from gdexp.sweep.settings import SweepSettings
from gdexp.sweep.space import MAX_GRID, Space, from_override
from gdexp.tracking import TrackingSettings

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

SWEPT_GROUPS = ("problem", "optimizer", "stopping", "seed", "dtype", "device")
DEFAULT_TRIALS = 100


@dataclass(frozen=True)
class Plan:
    """One sweep, described completely.

    Attributes:
        base: the plain config that every trial starts from.
        space: what the trials change in it.
        settings: with `name`, `n_trials`, `sampler` and `storage` filled in.
        tracking: where MLflow keeps the runs.
    """

    base: config.Config
    space: Space
    settings: SweepSettings
    tracking: TrackingSettings

    @classmethod
    def build(
        cls, composed: Mapping[str, Any], swept: Sequence[Override], fixed: Sequence[str]
    ) -> Plan:
        """Work out a plan.

        Args:
            composed: the checked config, without sweep expressions from the command line.
            swept: command-line overrides that hold a range; they join the space.
            fixed: keys that the command line gives one value; they leave the space.

        Raises:
            BadInput: by the full key.
        """
        base = config.outcome(composed)
        tracking = config.construct("tracking", TrackingSettings, composed["tracking"])
        settings = config.construct("sweep", SweepSettings, composed["sweep"])
        given = config.flatten(settings.space or {})
        by_file = {key: value for key, value in given.items() if key not in fixed}
        space = Space.parse(by_file)
        from_line = {}
        for override in swept:
            key = override.get_key_element().lstrip("+")
            if key.partition(".")[0] not in SWEPT_GROUPS:
                value = str(override.input_line).partition("=")[2]
                raise BadInput(key, value, f"cannot be swept; only {', '.join(SWEPT_GROUPS)} can")
            if isinstance(base.get(key), Mapping) or "/" in key:
                raise BadInput(
                    key,
                    str(override.input_line).partition("=")[2],
                    "whole groups cannot be swept; sweep a key in one, or run one sweep for each",
                )
            from_line[key] = from_override(key, override)
        kept = [from_line.pop(d.key, d) for d in space.dimensions]
        space = Space((*kept, *from_line.values()))
        plan = cls(base, space, settings, tracking)
        plan._check_space()
        return plan._completed()

    def experiment(self, parameters: Mapping[str, Any]) -> Experiment:
        """The experiment of a trial, from the parameters that Optuna holds."""
        return Experiment.from_config(self.configured(parameters), typed_here(self.base))

    def configured(self, parameters: Mapping[str, Any]) -> config.Config:
        """The config of a trial."""
        return config.with_values(self.base, self.space.decoded(parameters))

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.settings.name)

    @property
    def n_trials(self) -> int:
        """Finished trials to end with."""
        return int(self.settings.n_trials or DEFAULT_TRIALS)

    @property
    def sampler(self) -> Sampler:
        """What chooses the trials."""
        return Sampler.parse(self.settings.sampler)

    @property
    def journal(self) -> Path:
        """The study's journal file, absolute."""
        given = self.settings.storage
        return here() / (given if given else Path("sweeps", self.name, "study.journal"))

    def definition(self) -> dict[str, Any]:
        """What must not change while a study goes on; JSON-ready."""
        swept = [d.key for d in self.space.dimensions]
        fixed = {k: v for k, v in config.flatten(self.base).items() if k not in swept}
        return {
            "config": fixed,
            "space": self.space.definition(),
            "sampler": self.sampler.definition(),
            "objective": "hitting_time",
            "cap": self.settings.cap,
            "tracking": {"experiment": self.tracking.experiment},
        }

    def _check_space(self) -> None:
        """Build the experiment at the ends of every range: a bad value shows before the study."""
        if not self.space.dimensions:
            raise BadInput(
                "sweep.space", "{}", "is empty; sweep a key, such as optimizer.lr='interval(0.1,5)'"
            )
        first = {d.key: d.corners()[0] for d in self.space.dimensions}
        for dimension in self.space.dimensions:
            config.lookup(self.base, dimension.key)
            for value in dimension.corners():
                values = {**first, dimension.key: value}
                made = config.with_values(self.base, values)
                Experiment.from_config(made, typed_here(self.base)).rehearse()

    def _completed(self) -> Plan:
        size = self.space.size()
        settings = self.settings
        if self.sampler.name == AUTO:
            settings = replace(settings, sampler="tpe" if size is None else GRID)
        grid = Sampler.parse(settings.sampler).name == GRID
        if grid and (size is None or size > MAX_GRID):
            raise BadInput(
                "sweep.sampler",
                GRID,
                f"needs choice() or range() for every key, at most {MAX_GRID:,} points in all",
            )
        if settings.n_trials is None:
            settings = replace(settings, n_trials=DEFAULT_TRIALS if size is None else size)
        if grid and size is not None and int(settings.n_trials or 0) > size:
            settings = replace(settings, n_trials=size)
        plan = replace(self, settings=settings)
        if settings.name is None:
            place = [self.tracking.resolved, self.tracking.experiment]
            tail = config.digest([plan.definition(), place])[:8]
            name = f"{self.base['problem']['name']}-{self.base['optimizer']['name']}-{tail}"
            plan = replace(plan, settings=replace(settings, name=name))
        return plan
