"""The search space of a sweep, and the trial parameters and configs that it gives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.core import BadInput, nearest
from gdexp.sweeps.space import dimension
from gdexp.sweeps.space.dimension import GROUPS, Dimension

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, Trial

    from gdexp.tracking import Record

MAX_GRID = 1_000_000
MAX_COMBINATIONS = 1_000

Variants = Mapping[str, Mapping[str, config.Config]]
"""Config group -> name of one of its files -> the composed content of that file."""


@dataclass(frozen=True)
class Space:
    """All dimensions: groups first, the others in the order in which they were given.

    Attributes:
        dimensions: the swept keys.
        variants: the composed files of the swept groups.
    """

    dimensions: tuple[Dimension, ...]
    variants: Variants = field(default_factory=dict)

    @classmethod
    def build(cls, given: Sequence[Dimension], variants: Variants) -> Space:
        """Build a space, and work out with which choices each dimension is used.

        A key under a swept group, such as `optimizer.lr`, is used with every choice that has it.
        `optimizer.adam.lr` is the same key for that choice alone; it takes precedence.

        Raises:
            BadInput: a key that no choice has.
        """
        groups = sorted((d for d in given if d.is_group), key=lambda d: GROUPS.index(d.key))
        rest = [d for d in given if not d.is_group]
        keys = [_key_and_choice(d, variants) for d in rest]
        own = {(key, choice) for key, choice in keys if choice is not None}
        dimensions = [
            _with_condition(d, key, choice, variants, own)
            for d, (key, choice) in zip(rest, keys, strict=True)
        ]
        return cls((*groups, *dimensions), variants)

    @classmethod
    def from_definition(
        cls, definition: Mapping[str, Mapping[str, Any]], variants: Variants
    ) -> Space:
        """Read what `definition` returned."""
        dimensions = [Dimension.from_definition(name, d) for name, d in definition.items()]
        return cls(tuple(dimensions), variants)

    def definition(self) -> dict[str, dict[str, Any]]:
        """Return what the study stores of the space, JSON-ready."""
        return {d.name: d.definition() for d in self.dimensions}

    def as_written(self) -> Space | None:
        """Return the space with its choices as they were written, some of them equal.

        Version 0.1.0 ran each of them, so its studies go on with them. None if all differ.
        """
        if not any(d.written for d in self.dimensions):
            return None
        repeated = (replace(d, choices=d.written or d.choices) for d in self.dimensions)
        return replace(self, dimensions=tuple(repeated))

    def without(self, key: str) -> Space:
        """Return the space without a key; itself where the key is not swept."""
        kept = tuple(d for d in self.dimensions if d.key != key)
        return self if len(kept) == len(self.dimensions) else replace(self, dimensions=kept)

    @property
    def names(self) -> list[str]:
        """The dimensions' names in Optuna."""
        return [d.name for d in self.dimensions]

    @property
    def keys(self) -> list[str]:
        """The swept config keys, each once."""
        return list(dict.fromkeys(d.key for d in self.dimensions))

    @cached_property
    def conditional(self) -> bool:
        """Whether some dimensions are only part of some trials."""
        return any(d.when for d in self.dimensions)

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """All distributions by name; for `study.ask` if every trial has the same dimensions."""
        return {d.name: d.distribution() for d in self.dimensions}

    def choose(self, trial: Trial) -> None:
        """Let Optuna choose the parameters of a trial that it does not have yet."""
        chosen: dict[str, Any] = {}
        for d in self.dimensions:
            if d.used(chosen):
                value = d.suggest(trial)
                if d.is_group:
                    chosen[d.key] = value

    def is_chosen(self, trial: FrozenTrial) -> bool:
        """Return whether all parameters of a trial are chosen."""
        chosen: dict[str, Any] = {}
        values = self.decoded(trial.params)
        for d in self.dimensions:
            if d.used(chosen):
                if d.name not in values:
                    return False
                if d.is_group:
                    chosen[d.key] = values[d.name]
        return True

    @property
    def is_open(self) -> bool:
        """Whether a trial may have parameters that are no dimension of the space."""
        return False

    def recorded(self, record: Record, parameters: Mapping[str, Any]) -> Record:
        """Return the record of a trial's run in MLflow as it is kept: as it was made.

        Args:
            record: of the run.
            parameters: of the trial, as Optuna stores them.
        """
        return record

    def trial_config(self, base: config.Config, parameters: Mapping[str, Any]) -> config.Config:
        """Return the config of a trial from the parameters that Optuna stores."""
        values = self.decoded(parameters)
        changed = base
        for d in self.dimensions:
            if d.is_group:
                path = d.key.replace("/", ".")
                changed = config.with_group(changed, path, self.variants[d.key][values[d.name]])
        plain = {
            d.key: values[d.name] for d in self.dimensions if not d.is_group and d.name in values
        }
        return config.with_values(changed, plain)

    def decoded(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return config values by name in Optuna, from the parameters that Optuna stores."""
        return {
            d.name: d.decoded(parameters[d.name]) for d in self.dimensions if d.name in parameters
        }

    def encoded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters as Optuna stores them, from config values by name in Optuna."""
        return {d.name: d.encoded(values[d.name]) for d in self.dimensions if d.name in values}

    def by_key(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return config values by config key or group, from the parameters that Optuna stores."""
        values = self.decoded(parameters)
        return {d.key: values[d.name] for d in self.dimensions if d.name in values}

    def axes(self) -> tuple[list[str], list[str]]:
        """Return the params that every trial has, which charts of all trials can show.

        Returns:
            All of these params, a group as its name, and those whose values are positive numbers.
        """
        everywhere = set(self.keys)
        for chosen in self.combinations():
            everywhere &= {*chosen, *(d.key for d in self.dimensions_with(chosen))}
        keys = [key for key in self.keys if key in everywhere]
        positive = [key for key in keys if all(d.positive for d in self.dimensions if d.key == key)]
        return [f"{k.replace('/', '.')}.name" if k in GROUPS else k for k in keys], positive

    def combinations(self) -> list[dict[str, Any]]:
        """Return every combination of files of the swept groups; an empty one if none is swept."""
        groups = [d for d in self.dimensions if d.is_group]
        if math.prod(len(d.choices or ()) for d in groups) > MAX_COMBINATIONS:
            raise BadInput(
                "sweep.space", "", f"has more than {MAX_COMBINATIONS:,} combinations of files"
            )
        product = itertools.product(*(d.choices or () for d in groups))
        return [{d.name: v for d, v in zip(groups, chosen, strict=True)} for chosen in product]

    def examples(self) -> Iterator[dict[str, Any]]:
        """Yield values by name, for each combination of swept files and each swept path."""
        for chosen in self.combinations():
            part = self.dimensions_with(chosen)
            first = {**chosen, **{d.name: d.corners()[0] for d in part}}
            paths = [d for d in part if d.key == "problem.path"]
            tried = [{**first, d.name: path} for d in paths for path in d.choices or ()]
            yield from tried or [first]

    def parts_of_configs(self) -> Iterator[config.Config]:
        """Yield what trials may change: the swept files of problem and rule, and the choices."""
        for name in ("problem", "optimizer"):
            yield from ({name: each} for each in self.variants.get(name, {}).values())
        for d in self.dimensions:
            part, _, key = d.key.partition(".")
            yield from ({part: {key: each}} for each in d.choices or ()) if key else ()

    def dimensions_with(self, chosen: Mapping[str, Any]) -> list[Dimension]:
        """Return the dimensions, without groups, of a trial with these choices of the groups."""
        return [d for d in self.dimensions if not d.is_group and d.used(chosen)]

    def size(self) -> int | None:
        """Return the number of points of a finite space; None if a range is continuous."""
        total = 0
        for chosen in self.combinations():
            points = 1
            for d in self.dimensions_with(chosen):
                listed = d.values()
                if listed is None:
                    return None
                points *= len(listed)
            total += points
        return total

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield the points of a finite space by name in Optuna; the last name changes fastest."""
        for index in range(self.size() or 0):
            yield self.point(index)

    def point(self, index: int) -> dict[str, Any]:
        """Return the point at this position in the order of `points`.

        Raises:
            IndexError: the space has fewer points.
        """
        for chosen, lists, size in self._grid:
            if index >= size:
                index -= size
                continue
            values: dict[str, Any] = {}
            for name in reversed(lists):
                index, place = divmod(index, len(lists[name]))
                values[name] = lists[name][place]
            return {**chosen, **{name: values[name] for name in lists}}
        raise IndexError(index)

    @cached_property
    def _grid(self) -> list[tuple[dict[str, Any], dict[str, Sequence[Any]], int]]:
        """Each combination of groups with the values of its keys and its number of points."""
        grid = []
        for chosen in self.combinations():
            lists = {d.name: d.values() or [] for d in self.dimensions_with(chosen)}
            grid.append((chosen, lists, math.prod(map(len, lists.values()))))
        return grid


def dimensions(given: Mapping[str, Any]) -> list[Dimension]:
    """Return the dimensions of `sweep.space`, a mapping of keys to expressions.

    Raises:
        BadInput: Hydra cannot read an expression, or it is not a range.
    """
    return [dimension.parse(key, value) for key, value in config.flatten(given).items()]


def _key_and_choice(d: Dimension, variants: Variants) -> tuple[str, str | None]:
    """Return the config key of a dimension, and the one choice that it is for, if there is one."""
    for group in sorted(variants, key=len, reverse=True):
        prefix = group.replace("/", ".") + "."
        if d.name.startswith(prefix):
            choice, _, key = d.name.removeprefix(prefix).partition(".")
            if key and choice in variants[group]:
                return prefix + key, choice
    return d.key, None


def _with_condition(
    d: Dimension,
    key: str,
    choice: str | None,
    variants: Variants,
    own: set[tuple[str, str]],
) -> Dimension:
    for group in sorted(variants, key=len, reverse=True):
        prefix = group.replace("/", ".") + "."
        if not key.startswith(prefix):
            continue
        inner = key.removeprefix(prefix)
        having = [name for name, file in variants[group].items() if config.has(file, inner)]
        if not having or choice not in (None, *having):
            where = f"no {group} has it" if choice is None else f"{choice} has no such key"
            keys = [
                prefix + k
                for name, file in variants[group].items()
                if choice in (None, name)
                for k in config.flatten(file)
            ]
            raise BadInput(f"sweep.space.{d.name}", "", f"{where}; {nearest(key, keys)}")
        if choice is not None:
            return d.with_condition(key, {group: (choice,)})
        used = tuple(name for name in having if (key, name) not in own)
        if not used:
            raise BadInput(f"sweep.space.{d.name}", d.text(), f"every {group} has its own range")
        if len(used) == len(variants[group]):
            return d
        return d.with_condition(key, {group: used})
    return d
