"""The choice of a pruner: one of Optuna's classes by its name, with options."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, nearest, validation

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

NONE, MEDIAN, PERCENTILE, HYPERBAND, HALVING, PATIENCE, WILCOXON = PRUNERS = (
    "none",
    "median",
    "percentile",
    "hyperband",
    "successive_halving",
    "patience",
    "wilcoxon",
)
CLASSES = {
    MEDIAN: "MedianPruner",
    PERCENTILE: "PercentilePruner",
    HYPERBAND: "HyperbandPruner",
    HALVING: "SuccessiveHalvingPruner",
    PATIENCE: "PatientPruner",
    WILCOXON: "WilcoxonPruner",
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    PERCENTILE: {"percentile": 25.0},
    PATIENCE: {"patience": 5},
    HYPERBAND: {"min_resource": "auto"},
}
"""Options that Optuna's classes do not have, or have no default for."""

WRAPPED = "wrapped"
"""The option of `patience` that names the pruner which decides once a trial does not improve."""

ROUNDS_PER_TRIAL, HYPERBAND_RATIO = 100, 81
"""An automatic `min_resource` is the updates of a whole trial divided by one of these: Optuna's
number for halving; for hyperband that of the paper (L. Li et al., Hyperband, 2018), five brackets.
Optuna's own is one update, which makes a bracket for each factor of three."""


@dataclass(frozen=True)
class Pruner:
    """The choice of a pruner.

    Attributes:
        name: one of `PRUNERS`.
        options: keyword arguments of Optuna's class.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, given: object) -> Pruner:
        """Read a name, or a mapping with `name` and options.

        Raises:
            BadInput: an unknown name or option, or an option that Optuna refuses.
        """
        options: dict[str, Any] = {}
        if isinstance(given, Mapping):
            options = {str(key): value for key, value in given.items()}
            given = options.pop("name", None)
        pruner = cls(
            validation.choice("pruner", NONE if given is None else given, PRUNERS), options
        )
        pruner._check()
        return pruner

    def _check(self) -> None:
        if self.name == NONE:
            if self.options:
                raise BadInput(f"pruner.{next(iter(self.options))}", "", "none takes no options")
            return
        known = self._known_options()
        for key in self.options:
            if key not in known:
                raise BadInput(f"pruner.{key}", self.options[key], nearest(key, known))
        try:
            self.build(2 * ROUNDS_PER_TRIAL)
        except (ValueError, TypeError) as error:
            raise BadInput(
                "pruner", self.definition(), f"refused by Optuna: {error}".splitlines()[0]
            ) from None

    def _known_options(self) -> list[str]:
        import optuna

        made = inspect.signature(getattr(optuna.pruners, CLASSES[self.name]))
        names = [WRAPPED if name == "wrapped_pruner" else name for name in made.parameters]
        return sorted(names)

    def definition(self) -> dict[str, Any] | str:
        """Return what the study stores of it, in the form that `parse` reads."""
        return {"name": self.name, **self.options} if self.options else self.name

    @property
    def needs_length(self) -> bool:
        """Whether something follows from how many updates a whole trial makes."""
        inner = self._wrapped()
        if inner is not None:
            return inner.needs_length
        given = {**DEFAULTS.get(self.name, {}), **self.options}
        if self.name == HYPERBAND:
            return "auto" in (given["min_resource"], given.get("max_resource", "auto"))
        return self.name == HALVING and given.get("min_resource", "auto") == "auto"

    @property
    def keeps_rungs(self) -> bool:
        """Whether a trial leaves more than its readings: the values with which it was promoted."""
        inner = self._wrapped()
        return self.name in (HALVING, HYPERBAND) or (inner is not None and inner.keeps_rungs)

    def build(self, length: int) -> BasePruner:
        """Return Optuna's pruner.

        Args:
            length: the updates of a whole trial, from which automatic options follow.
        """
        import optuna

        options: dict[str, Any] = {**DEFAULTS.get(self.name, {}), **self.options}
        if self.name == PATIENCE:
            options.pop(WRAPPED, None)
            inner = self._wrapped()
            options["wrapped_pruner"] = None if inner is None else inner.build(length)
        elif self.name == HALVING and options.get("min_resource", "auto") == "auto":
            if not options.get(
                "bootstrap_count"
            ):  # Optuna refuses both, and so it is left to say so
                options["min_resource"] = max(length // ROUNDS_PER_TRIAL, 1)
        elif self.name == HYPERBAND:
            if options.get("max_resource", "auto") == "auto" and not options.get("bootstrap_count"):
                options["max_resource"] = max(length, 1)
            if options["min_resource"] == "auto":
                most = options.get("max_resource", length)
                options["min_resource"] = max(int(most) // HYPERBAND_RATIO, 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            pruner: BasePruner = getattr(optuna.pruners, CLASSES[self.name])(**options)
            return pruner

    def _wrapped(self) -> Pruner | None:
        """Return the pruner that `patience` waits for; None where it has none."""
        given = self.options.get(WRAPPED)
        if self.name != PATIENCE or given is None:
            return None
        inner = Pruner.parse(given)
        return None if inner.name == NONE else inner
