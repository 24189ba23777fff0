"""The samplers: Optuna's and gdexp's own, by name or `_target_`, seeded for one trial each."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, validation
from gdexp.sweeps.sampling.learning_rate import (
    Learned,
    evenly_spaced,
    learning_rate_sampler,
    loosest_threshold,
)
from gdexp.sweeps.sampling.options import OPTIONS, check_options
from gdexp.sweeps.sampling.startup_trials import startup_sampler
from gdexp.sweeps.sampling.tpe import tpe_sampler

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler

CLASSES = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "qmc": "QMCSampler",
    "gp": "GPSampler",
    "cmaes": "CmaEsSampler",
    "nsgaii": "NSGAIISampler",
}
GRID, AUTO, QMC, RANDOM, TPE = "grid", "auto", "qmc", "random", "tpe"
LEARNING_RATE = "learning_rate"
NAMES = (LEARNING_RATE, *CLASSES, GRID, AUTO)
STARTUP_TRIALS = {LEARNING_RATE: 2, TPE: 10, "gp": 10, "cmaes": 1, "nsgaii": 0}
"""Samplers that learn from the trials, each with its number of trials before it learns."""


@dataclass(frozen=True)
class Sampler:
    """The choice of a sampler, with its options.

    Attributes:
        name: one of `NAMES`.
        options: keyword arguments of Optuna's class.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: object) -> Sampler:
        """Read a name, or a mapping with `name` or `_target_` and options.

        Raises:
            BadInput: an unknown name, target or option, or an option's value out of range.
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
        check_options(name, options)
        return cls(name, options)

    def definition(self) -> dict[str, Any] | str:
        """Return what the study stores of it, in the form that `parse` reads."""
        return {"name": self.name, **self.options} if self.options else self.name

    @property
    def startup(self) -> int | None:
        """The number of first trials that depend on no other trial; None if no trial does."""
        if self.name not in STARTUP_TRIALS:
            return None
        return int(self.options.get("n_startup_trials", STARTUP_TRIALS[self.name]))

    def for_trial(
        self,
        seed: int,
        ordinal: int,
        conditional: bool = False,
        fixed: Mapping[str, BaseDistribution] | None = None,
        learned: Learned | None = None,
    ) -> BaseSampler:
        """Build Optuna's sampler for the trial with this ordinal.

        It is seeded by `seed` and `ordinal`, so that a sweep of 7 trials continued by 13 equals
        one of 20: what it draws depends on the trial, not on when the process began. Only a
        quasi-random sequence has one seed for all trials; it counts the trials of the study.

        Args:
            seed: of the sweep.
            ordinal: of the trial, counted from 0.
            conditional: whether trials differ in their parameters.
            fixed: the distributions of a space that is the same for every trial.
            learned: what gdexp's own sampler is told of the sweep.
        """
        import optuna

        if optuna.logging.get_verbosity() != optuna.logging.ERROR:
            optuna.logging.set_verbosity(optuna.logging.ERROR)
        number = trial_seed(seed, 0 if self.name == QMC else ordinal)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)  # Optuna 6 removes some options.
            if self.name == LEARNING_RATE and learned is not None:
                return self._own(seed, ordinal, conditional, fixed, learned)
            if self.name not in CLASSES:  # The points of a grid are queued, not drawn.
                return optuna.samplers.RandomSampler(seed=number)
            if self.startup is not None and ordinal < self.startup:
                return startup_sampler(seed, number, ordinal)
            options = {**self.options, "seed": number}
            if self.name == "tpe":
                return tpe_sampler(options, conditional, fixed)
            if self.name == QMC:
                independent = optuna.samplers.RandomSampler(seed=trial_seed(seed, ordinal))
                options = {
                    "scramble": True,
                    "warn_independent_sampling": False,
                    **options,
                    "independent_sampler": independent,
                }
            sampler: BaseSampler = getattr(optuna.samplers, CLASSES[self.name])(**options)
            return sampler

    def _own(
        self,
        seed: int,
        ordinal: int,
        conditional: bool,
        fixed: Mapping[str, BaseDistribution] | None,
        learned: Learned,
    ) -> BaseSampler:
        """Build gdexp's own sampler; TPE makes every other trial where other keys are swept too."""
        number = trial_seed(seed, ordinal)
        loosest = loosest_threshold(fixed, learned)
        alone = (fixed is not None and set(fixed) == set(learned.rates)) or loosest is not None
        first = (
            int(self.startup or 0) if alone else max(int(self.startup or 0), STARTUP_TRIALS[TPE])
        )
        even = startup_sampler(seed, number, ordinal)
        if ordinal < first:
            return even
        tpe: BaseSampler = tpe_sampler({"seed": number, "n_startup_trials": 0}, conditional, fixed)
        if not alone and ordinal % 2:
            return tpe
        return learning_rate_sampler(
            even if evenly_spaced(ordinal, alone) else tpe, learned, loosest
        )

    def check_space(self, space: Mapping[str, BaseDistribution], values: int) -> None:
        """Ask the sampler for the first trials that its options apply to, in a study of no meaning.

        Optuna looks at some options only then, such as at the keys of `x0`.

        Args:
            space: the distributions of a trial's parameters.
            values: how many numbers are minimised.

        Raises:
            BadInput: Optuna refuses the options.
        """
        if not self.options:
            return
        import optuna

        few, sampler = min(self.startup or 0, 2), self
        if "n_startup_trials" in OPTIONS.get(self.name, ()):
            sampler = replace(self, options={**self.options, "n_startup_trials": few})
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(directions=["minimize"] * values)
        try:
            for ordinal in range(few + 2):
                study.sampler = sampler.for_trial(0, ordinal, fixed=space)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    study.tell(study.ask(dict(space)), [float(ordinal)] * values)
        except Exception as error:  # of Optuna's, of many types
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise BadInput("sampler", self.definition(), f"refused by Optuna: {reason}") from None


def trial_seed(seed: int, ordinal: int) -> int:
    """Return a seed of 32 bits that depends on both numbers."""
    text = f"{seed}/{ordinal}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "big")
