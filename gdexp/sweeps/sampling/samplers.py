"""Optuna's samplers by name or by `_target_`, seeded for one trial at a time."""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, nearest, validation
from gdexp.sweeps.sampling.startup_trials import startup_sampler

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

CLASSES = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "qmc": "QMCSampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
}
GRID, AUTO, QMC = "grid", "auto", "qmc"
NAMES = (*CLASSES, GRID, AUTO)
DEFAULTS: dict[str, dict[str, Any]] = {"tpe": {"multivariate": True}, "qmc": {"scramble": True}}
LEARNING = {"tpe": 10, "gp": 10, "cmaes": 1}
"""Samplers that learn from the trials, and how many are spread evenly before."""
GOOD = 5
"""One trial in so many counts as good for TPE; Optuna counts one in ten.

With two or three good ones, as after twenty trials then, TPE's kernels are a third of a range wide.
"""
OURS = ("seed", "search_space")
"""Arguments that gdexp gives itself."""


@dataclass(frozen=True)
class Sampler:
    """Which sampler, with its own options.

    Attributes:
        name: one of `NAMES`.
        options: keyword arguments of Optuna's class.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: object) -> Sampler:
        """From a name, or from a mapping with `name` or `_target_` and options.

        Raises:
            BadInput: an unknown name, target or option; the nearest is offered.
        """
        if not isinstance(given, Mapping):
            return cls(validation.choice("sampler", given, NAMES))
        options = {str(key): value for key, value in given.items()}
        if "_target_" in options:
            targets = {f"optuna.samplers.{made}": name for name, made in CLASSES.items()}
            target = validation.choice("sampler._target_", options.pop("_target_"), targets)
            name = targets[target]
        else:
            name = validation.choice("sampler.name", options.pop("name", None), NAMES)
        sampler = cls(name, options)
        sampler._check_options()
        return sampler

    def definition(self) -> dict[str, Any] | str:
        """As the study remembers it, and as `parse` reads it."""
        return {"name": self.name, **self.options} if self.options else self.name

    @property
    def startup(self) -> int | None:
        """How many first trials do not depend on any other's outcome; None for all of them."""
        if self.name not in LEARNING:
            return None
        return int(self.options.get("n_startup_trials", LEARNING[self.name]))

    def for_trial(
        self,
        seed: int,
        ordinal: int,
        conditional: bool = False,
        fixed: Mapping[str, BaseDistribution] | None = None,
    ) -> BaseSampler:
        """The sampler that chooses the trial with this ordinal.

        In a conditional space TPE learns for each set of parameters that occur together. In one
        that is the same for every trial (`fixed`) it is told what it would else work out from
        all trials, each time anew.

        Seeded by both numbers, so that a sweep of 7 trials continued by 13 equals one of 20:
        what is drawn depends on which trial it is, not on when the process began. A
        quasi-random sequence is one sequence for all trials and counts them in the study.
        """
        import optuna

        if optuna.logging.get_verbosity() != optuna.logging.ERROR:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
        number = trial_seed(seed, 0 if self.name == QMC else ordinal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", "`gamma`", FutureWarning)  # goes with Optuna 6
            if self.name not in CLASSES:  # a grid's points are queued, not drawn
                return optuna.samplers.RandomSampler(seed=number)
            if self.startup is not None and ordinal < self.startup:
                return startup_sampler(seed, number, ordinal)
            options = {**DEFAULTS.get(self.name, {}), **self.options, "seed": number}
            if self.name == "tpe":
                options.setdefault("gamma", _good)
            if self.name == "tpe" and conditional and options["multivariate"]:
                options.setdefault("group", True)
            if self.name == QMC:
                options["independent_sampler"] = optuna.samplers.RandomSampler(
                    seed=trial_seed(seed, ordinal)
                )
                options.setdefault("warn_independent_sampling", False)
            made: BaseSampler = getattr(optuna.samplers, CLASSES[self.name])(**options)
            together = options.get("multivariate") and not options.get("group")
            if self.name == "tpe" and together and fixed:
                _tell_space(made, fixed)
            return made

    def _check_options(self) -> None:
        if not self.options:
            return
        if self.name not in CLASSES:
            key = next(iter(self.options))
            raise BadInput(f"sampler.{key}", self.options[key], f"{self.name} takes no options")
        import optuna

        signature = inspect.signature(getattr(optuna.samplers, CLASSES[self.name]))
        allowed = [name for name in signature.parameters if name not in OURS]
        for key, value in self.options.items():
            if key not in allowed:
                raise BadInput(f"sampler.{key}", value, f"unknown option; {nearest(key, allowed)}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.for_trial(0, self.startup or 0)  # the first that these options are for
        except (TypeError, ValueError) as error:
            raise BadInput("sampler", self.definition(), str(error).splitlines()[0]) from None


def _tell_space(sampler: BaseSampler, fixed: Mapping[str, BaseDistribution]) -> None:
    """Give a sampler the space in which it samples all parameters together, sorted as Optuna's."""
    space = {name: fixed[name] for name in sorted(fixed) if not fixed[name].single()}

    def known(study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return space

    sampler.infer_relative_search_space = known  # type: ignore[method-assign]


def _good(finished: int) -> int:
    """How many of so many trials count as good."""
    return min(-(-finished // GOOD), 25)


def trial_seed(seed: int, ordinal: int) -> int:
    """32 bits that depend on both numbers."""
    text = f"{seed}/{ordinal}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
