"""The search space: every swept key, and which of them a trial has."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.core import BadInput, nearest
from gdexp.sweeps.space import dimension
from gdexp.sweeps.space.dimension import GROUPS, Dimension

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

MAX_GRID = 1_000_000
MAX_COMBINATIONS = 1_000

Variants = Mapping[str, Mapping[str, config.Config]]
"""Config group -> name of one of its files -> what that file says, composed."""


@dataclass(frozen=True)
class Space:
    """All dimensions, groups first, else in the order in which they were given.

    Attributes:
        dimensions: the swept keys.
        variants: the composed files of the swept groups.
    """

    dimensions: tuple[Dimension, ...]
    variants: Variants = field(default_factory=dict)

    @classmethod
    def build(cls, given: Sequence[Dimension], variants: Variants) -> Space:
        """A space in which each dimension knows when it is used.

        A key under a swept group, such as `optimizer.lr`, is used by every choice that has it;
        `optimizer.adam.lr` is the same key for that choice alone, and goes before.

        Raises:
            BadInput: a key that no choice has.
        """
        groups = sorted((d for d in given if d.is_group), key=lambda d: GROUPS.index(d.key))
        rest = [d for d in given if not d.is_group]
        placed = [_placed(d, variants) for d in rest]
        own = {(key, choice) for key, choice in placed if choice is not None}
        made = [
            _dependent(d, key, choice, variants, own)
            for d, (key, choice) in zip(rest, placed, strict=True)
        ]
        return cls((*groups, *made), variants)

    @classmethod
    def from_definition(
        cls, definition: Mapping[str, Mapping[str, Any]], variants: Variants
    ) -> Space:
        """What `definition` gave, read back."""
        dimensions = [Dimension.from_definition(name, d) for name, d in definition.items()]
        return cls(tuple(dimensions), variants)

    def definition(self) -> dict[str, dict[str, Any]]:
        """JSON-ready description."""
        return {d.name: d.definition() for d in self.dimensions}

    @property
    def names(self) -> list[str]:
        """What Optuna calls the dimensions."""
        return [d.name for d in self.dimensions]

    @property
    def keys(self) -> list[str]:
        """The swept config keys, each once."""
        return list(dict.fromkeys(d.key for d in self.dimensions))

    @cached_property
    def conditional(self) -> bool:
        """Whether some dimensions are not part of every trial."""
        return any(d.when for d in self.dimensions)

    @cached_property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Of a space that is the same for every trial, for `study.ask`."""
        return {d.name: d.distribution() for d in self.dimensions}

    def choose(self, trial: Trial) -> None:
        """Choose every parameter that belongs to a trial; those that it has stay."""
        chosen: dict[str, Any] = {}
        for d in self.dimensions:
            if d.used(chosen):
                value = d.suggest(trial)
                if d.is_group:
                    chosen[d.key] = value

    def trial_config(self, base: config.Config, parameters: Mapping[str, Any]) -> config.Config:
        """The config of a trial, from the parameters that Optuna holds."""
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
        """A trial's parameters as config values, by Optuna's names."""
        return {
            d.name: d.decoded(parameters[d.name]) for d in self.dimensions if d.name in parameters
        }

    def encoded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Config values by Optuna's names, as Optuna holds them."""
        return {d.name: d.encoded(values[d.name]) for d in self.dimensions if d.name in values}

    def by_key(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """A trial's config values by config key or group, from the parameters of Optuna."""
        values = self.decoded(parameters)
        return {d.key: values[d.name] for d in self.dimensions if d.name in values}

    def axes(self) -> tuple[list[str], list[str]]:
        """What charts of all trials can show: the params that every trial has, in order.

        Returns:
            Those params, a group as its name, and those of them that are positive numbers.
        """
        everywhere = set(self.keys)
        for chosen in self.combinations():
            everywhere &= {*chosen, *(d.key for d in self.dimensions_with(chosen))}
        keys = [key for key in self.keys if key in everywhere]
        positive = [key for key in keys if all(d.positive for d in self.dimensions if d.key == key)]
        return [f"{k.replace('/', '.')}.name" if k in GROUPS else k for k in keys], positive

    def combinations(self) -> list[dict[str, Any]]:
        """Every choice of the swept groups; one empty choice where none is swept."""
        groups = [d for d in self.dimensions if d.is_group]
        if math.prod(len(d.choices or ()) for d in groups) > MAX_COMBINATIONS:
            raise BadInput(
                "sweep.space", "", f"has more than {MAX_COMBINATIONS:,} combinations of files"
            )
        product = itertools.product(*(d.choices or () for d in groups))
        return [{d.name: v for d, v in zip(groups, chosen, strict=True)} for chosen in product]

    def dimensions_with(self, chosen: Mapping[str, Any]) -> list[Dimension]:
        """The dimensions of a trial with these choices of the groups, groups left out."""
        return [d for d in self.dimensions if not d.is_group and d.used(chosen)]

    def size(self) -> int | None:
        """How many points a finite space has; None when a range is continuous."""
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
        """The points of a finite space by Optuna's names, the last changing fastest."""
        for index in range(self.size() or 0):
            yield self.point(index)

    def point(self, index: int) -> dict[str, Any]:
        """The point at this place in the order of `points`.

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
        """For each combination of groups: itself, the values of its keys, how many points."""
        made = []
        for chosen in self.combinations():
            lists = {d.name: d.values() or [] for d in self.dimensions_with(chosen)}
            made.append((chosen, lists, math.prod(map(len, lists.values()))))
        return made


def dimensions(given: Mapping[str, Any]) -> list[Dimension]:
    """The dimensions of the key-to-expression mapping of `sweep.space`.

    Raises:
        BadInput: an expression that Hydra cannot read or that is no range.
    """
    return [dimension.parse(key, value) for key, value in config.flatten(given).items()]


def _placed(d: Dimension, variants: Variants) -> tuple[str, str | None]:
    """The config key that a name stands for, and the choice that it is for alone, if one."""
    for group in sorted(variants, key=len, reverse=True):
        prefix = group.replace("/", ".") + "."
        if d.name.startswith(prefix):
            choice, _, key = d.name.removeprefix(prefix).partition(".")
            if key and choice in variants[group]:
                return prefix + key, choice
    return d.key, None


def _dependent(
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
            known = [
                prefix + k
                for name, file in variants[group].items()
                if choice in (None, name)
                for k in config.flatten(file)
            ]
            raise BadInput(f"sweep.space.{d.name}", "", f"{where}; {nearest(key, known)}")
        if choice is not None:
            return d.with_condition(key, {group: (choice,)})
        used = tuple(name for name in having if (key, name) not in own)
        if not used:
            raise BadInput(f"sweep.space.{d.name}", d.text(), f"every {group} has its own range")
        if len(used) == len(variants[group]):
            return d
        return d.with_condition(key, {group: used})
    return d
