"""What a benchmark runs: rules, functions, dimensions, instances, starts and budget."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from gdexp.core import BadInput, validation
from gdexp.problems import Bbob
from gdexp.suite.entry import Entry

FUNCTIONS = tuple(range(1, 25))
OUTSIDE = ("name", "workers", "preview")
"""Settings that do not decide an outcome."""

Rules = Sequence[str | Mapping[str, Any]]

NEED_NO_RATE: tuple[Mapping[str, Any], ...] = (
    {"name": "polyak", "lr": 1.0},
    {"name": "polyak_level", "lr": 1.0},
    {"name": "barzilai_borwein", "lr": 1e-7},
    {"name": "adgd", "lr": 1e-7, "version": 2020},
    {"name": "wolfe", "lr": 1.0},
    {"name": "exact_line_search", "lr": 1.0},
    {"name": "conjugate_gradients", "lr": 1.0},
)
"""Rules whose lr is the share of a step, the first step or the first trial: it is not swept."""

SHIPPED: Rules = (
    "gd",
    "momentum",
    "nesterov",
    "adagrad",
    "rmsprop",
    "adam",
    "adamw",
    {"name": "gd", "schedule": {"name": "silver"}},
    "fast_gradient",
    "ogm",
    "armijo",
    "adgd",
    *NEED_NO_RATE,
)
"""The rules of the published table."""

RATE_SOURCES = ("shipped", "swept")


@dataclass(frozen=True)
class BenchmarkSettings:
    """The config group `benchmark`.

    Args:
        rules: names of update rules, or groups such as `{name: momentum, momentum: 0.99}`. A rule
            without an `lr` has it swept.
        functions: of the bbob suite, 1 … 24.
        dimensions: numbers of variables, 2 … 1,000.
        instances: of each function.
        starts: descents of each instance, with the seeds `seed`, `seed` + 1, …
        budget: evaluations of a descent, in multiples of the dimension; an evaluation is one loss
            with its gradient, and the start is the first.
        rates: `shipped`: the rates that were swept for the published table, where it has the rule,
            function and dimension; `swept`: every rate is swept anew.
        rate_low: the smallest rate of a sweep, > 0.
        rate_high: the largest rate of a sweep.
        rate_instances: on which rates are swept; none of them may be in `instances`.
        rate_starts: descents of each of these for each rate.
        name: of the folder in `benchmarks/`; None: derived from the other settings.
        workers: processes that share the work.
        preview: whether only the plan and its estimated time are shown.
    """

    rules: Rules = SHIPPED
    functions: Sequence[int] = FUNCTIONS
    dimensions: Sequence[int] = (2, 5, 20)
    instances: Sequence[int] = (1, 2, 3)
    starts: int = 5
    budget: int = 100
    rates: str = "shipped"
    rate_low: float = 1e-8
    rate_high: float = 100.0
    rate_instances: Sequence[int] = (101,)
    rate_starts: int = 3
    name: str | None = None
    workers: int = 1
    preview: bool = False

    def __post_init__(self) -> None:
        _integers("functions", self.functions, 1, len(FUNCTIONS))
        _integers("dimensions", self.dimensions, 2, Bbob.most_variables)
        _integers("instances", self.instances, 1, Bbob.most_instances)
        _integers("rate_instances", self.rate_instances, 1, Bbob.most_instances)
        for key in ("starts", "rate_starts"):
            validation.integer(key, getattr(self, key), low=1, high=1000)
        validation.integer("budget", self.budget, low=1, high=10**7)
        validation.integer("workers", self.workers, low=1, high=1000)
        validation.boolean("preview", self.preview)
        validation.choice("rates", self.rates, RATE_SOURCES)
        if validation.positive("rate_high", self.rate_high) < validation.positive(
            "rate_low", self.rate_low
        ):
            raise BadInput("rate_high", self.rate_high, f"must be >= rate_low={self.rate_low:g}")
        both = sorted(set(self.instances) & set(self.rate_instances))
        if both:
            allowed = f"must not hold {both[0]}, which is in instances: rates are judged by others"
            raise BadInput("rate_instances", list(self.rate_instances), allowed)
        if self.name is not None and not re.fullmatch(r"[\w.-]{1,100}", str(self.name)):
            raise BadInput("name", self.name, "must be of letters, digits, '-', '_' and '.'")
        _listed("rules", self.rules)
        labels = [entry.label for entry in self.entries]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise BadInput("rules", twice, "is given twice")

    @property
    def entries(self) -> list[Entry]:
        """The rules that take part."""
        return [Entry.of(each) for each in self.rules]

    def definition(self) -> dict[str, Any]:
        """Return the settings that decide the outcome, as plain data."""
        given = {k: v for k, v in asdict(self).items() if k not in OUTSIDE}
        return {k: list(v) if isinstance(v, list | tuple) else v for k, v in given.items()}

    @classmethod
    def keys(cls) -> list[str]:
        """Return the names of the settings."""
        return [each.name for each in fields(cls)]


def _listed(key: str, value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise BadInput(key, value, "must be a list that is not empty")
    return value


def _integers(key: str, value: object, low: int, high: int) -> None:
    numbers = [validation.integer(key, each, low, high) for each in _listed(key, value)]
    if len(set(numbers)) < len(numbers):
        raise BadInput(key, value, "must have no number twice")
