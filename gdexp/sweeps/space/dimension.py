"""One dimension of the search space: a swept config key and its values, in Hydra's grammar."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gdexp.config import check_secrets, digest
from gdexp.core import BadInput

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

EXAMPLES = (
    "interval(a, b), tag(log, interval(a, b)), int(interval(a, b)), range(a, b, step) or choice(…)"
)
MOST_LISTED = 1_000_000
"""Values in the list of a float range or a choice."""

MOST_WHOLE = 2**63 - 1

CAST = re.compile(r"(\s*(tag|sort|shuffle)\s*\([^()]*)*\s*int\s*\(")
"""An expression whose numbers are made whole, inside a tag or an order or by itself."""

NUMBER = re.compile(r"(?<![\w.'\"])(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)?(?![\w.])")

GROUPS = ("problem", "optimizer", "optimizer/schedule")
"""The config groups that a sweep can choose files of."""


@dataclass(frozen=True)
class Dimension:
    """The values that one config key may take.

    Attributes:
        name: its name in Optuna.
        key: dotted config key, or a config group such as `optimizer`.
        choices: the list of values; None for the range `low` … `high`.
        low, high: both included.
        log: whether the range is sampled evenly on a log axis.
        integer: whether the values are integers.
        step: between neighbouring values; None for a continuous range.
        when: for each group that it depends on, the choices with which it is used.
        written: the choices as they were written, if some of them are equal.
    """

    name: str
    key: str
    choices: tuple[Any, ...] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    integer: bool = False
    step: float | None = None
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    written: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    @property
    def is_group(self) -> bool:
        """Whether its values are files of a config group."""
        return self.key in GROUPS

    @property
    def positive(self) -> bool:
        """Whether every value is a number above 0, so that a log axis can show it."""
        return all(
            isinstance(value, int | float) and not isinstance(value, bool) and value > 0
            for value in (self.choices or (self.low, self.high))
        )

    def used(self, values: Mapping[str, Any]) -> bool:
        """Whether it is part of a trial with these values of the groups."""
        return all(values.get(group) in chosen for group, chosen in self.when.items())

    def suggest(self, trial: Trial) -> Any:  # noqa: ANN401
        """Let Optuna's sampler choose the value of a trial; returns it as Optuna stores it."""
        if self.choices is not None:
            return trial.suggest_categorical(self.name, [_hashable(v) for v in self.choices])
        if self.integer:
            low, high = int(self.low), int(self.high)
            return trial.suggest_int(self.name, low, high, step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def distribution(self) -> BaseDistribution:
        """Return the dimension as a distribution of Optuna."""
        from optuna.distributions import (
            CategoricalDistribution,
            FloatDistribution,
            IntDistribution,
        )

        if self.choices is not None:
            return CategoricalDistribution([_hashable(value) for value in self.choices])
        if self.integer:
            return IntDistribution(int(self.low), int(self.high), self.log, int(self.step or 1))
        return FloatDistribution(self.low, self.high, self.log, self.step)

    def values(self) -> Sequence[Any] | None:
        """Return every value in order; None for a continuous range."""
        if self.choices is not None:
            return list(self.choices)
        if self.integer:  # Not a list: a range may have more values than fit into memory.
            return range(int(self.low), int(self.high) + 1, int(self.step or 1))
        if self.low == self.high:
            return [self.low]
        if self.step is None:
            return None
        return [
            self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)
        ]

    def encoded(self, value: Any) -> Any:  # noqa: ANN401
        """Return a config value as Optuna stores it."""
        return value if self.choices is None else _hashable(value)

    def decoded(self, value: Any) -> Any:  # noqa: ANN401
        """Return the config value of a value that Optuna stores."""
        if self.choices is None:
            return value
        return next(choice for choice in self.choices if _same(_hashable(choice), value))

    def corners(self) -> list[Any]:
        """Return the values that are tried when the space is checked."""
        return list(self.choices) if self.choices is not None else [self.bound(0), self.bound(1)]

    def bound(self, which: int) -> float | int:
        """Return the lowest (0) or highest (1) value, an int for an integer range."""
        value = self.high if which else self.low
        return int(value) if self.integer else value

    def text(self) -> str:
        """Return the values as a person reads them."""
        if self.choices is not None:
            return "one of " + ", ".join(map(str, self.choices))
        kind = ("log " if self.log else "") + ("integer " if self.integer else "")
        step = "" if self.step is None or self.integer else f" step {self.step:g}"
        return f"{kind}[{self.low:g}, {self.high:g}]{step}"

    def definition(self) -> dict[str, Any]:
        """Return what the study stores of the dimension, JSON-ready."""
        described: dict[str, Any] = {
            "low": self.low,
            "high": self.high,
            "log": self.log,
            "integer": self.integer,
            "step": self.step,
        }
        if self.choices is not None:
            described = {"choices": list(self.choices)}
        if self.when:
            described["when"] = {group: list(chosen) for group, chosen in self.when.items()}
        return described if self.key == self.name else {"key": self.key, **described}

    @classmethod
    def from_definition(cls, name: str, definition: Mapping[str, Any]) -> Dimension:
        """Read what `definition` returned."""
        given = {"key": name, **definition}
        if "choices" in given:
            given["choices"] = tuple(given["choices"])
        if "when" in given:
            given["when"] = {group: tuple(chosen) for group, chosen in given["when"].items()}
        return cls(name, **given)

    def with_condition(self, key: str, when: Mapping[str, tuple[str, ...]]) -> Dimension:
        """Return the dimension for another config key, used only with these choices."""
        return replace(self, key=key, when=when)


def parse(key: str, given: object) -> Dimension:
    """Make a dimension from the entry of a key in `sweep.space`.

    Raises:
        BadInput: Hydra cannot read the expression, or it is not a range.
    """
    if isinstance(given, list | tuple):
        return choice_dimension(key, tuple(given))
    if isinstance(given, bool | int | float) or given is None:
        return choice_dimension(key, (given,))
    return from_override(key, _parsed(key, str(given)))


def _parsed(key: str, text: str) -> Override:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"{key}={text}")
    except HydraException:
        raise BadInput(f"sweep.space.{key}", text, f"cannot be read; write {EXAMPLES}") from None


def from_override(key: str, override: Override) -> Dimension:
    """Make a dimension from a parsed override.

    Raises:
        BadInput: a range whose lower end is not below its upper end, or a log range from 0.
    """
    from hydra.core.override_parser.types import (
        ChoiceSweep,
        IntervalSweep,
        RangeSweep,
        Sweep,
    )

    value: Any = override.value()
    text = str(override.input_line).partition("=")[2]
    _check_marks(key, text, value)
    if isinstance(value, ChoiceSweep):
        if any(isinstance(item, Sweep) for item in value.list):
            raise BadInput(f"sweep.space.{key}", text, "must list values: no range, no choice")
        return choice_dimension(key, tuple(map(unquoted, value.list)))
    if isinstance(value, RangeSweep):
        return _range(key, value)
    if isinstance(value, IntervalSweep):
        log = "log" in value.tags
        start, end = checked_bounds(key, value.start, value.end, log)
        integer = all(isinstance(bound, int) for bound in (value.start, value.end))
        return Dimension(key, key, low=start, high=end, log=log, integer=integer)
    if override.is_sweep_override():
        raise BadInput(f"sweep.space.{key}", text, f"write {EXAMPLES}")
    return choice_dimension(key, (value,))


def _check_marks(key: str, text: str, value: Any) -> None:  # noqa: ANN401
    """Refuse a tag, an order or a cast that would be dropped in silence, or change the values."""
    from hydra.core.override_parser.types import IntervalSweep, Sweep

    name = f"sweep.space.{key}"
    if isinstance(value, Sweep):
        unknown = sorted(value.tags - {"log"})
        if unknown:
            raise BadInput(
                name, text, f"has the tag {unknown[0]}; only log is one: tag(log,interval(a,b))"
            )
        if value.tags and not isinstance(value, IntervalSweep):
            raise BadInput(name, text, "has a tag, which only interval(a,b) takes")
        if getattr(value, "shuffle", False):
            raise BadInput(name, text, "cannot be shuffled: the sampler chooses the order")
    cast = CAST.match(text)
    cut = next((number for number in NUMBER.findall(text) if not float(number).is_integer()), None)
    if cast and cut is not None:
        raise BadInput(name, text, f"int() would cut {cut}; write whole numbers")


def unquoted(value: Any) -> Any:  # noqa: ANN401
    """Return a value of Hydra's parser with plain strings in place of its quoted ones."""
    from hydra.core.override_parser.types import QuotedString

    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [unquoted(item) for item in value]
    if isinstance(value, dict):
        return {unquoted(name): unquoted(item) for name, item in value.items()}
    return value


def choice_dimension(key: str, values: tuple[Any, ...], plain: bool = True) -> Dimension:
    """Return the dimension of a list of values.

    Args:
        key: that they are of.
        values: the list.
        plain: whether a value may hold no interpolation.

    Raises:
        BadInput: there are none, or one cannot be stored.
    """
    if not values:
        raise BadInput(f"sweep.space.{key}", "[]", "must list at least one value")
    for value in values:
        if plain and "${" in str(value):
            raise BadInput(f"sweep.space.{key}", value, "must be plain values, without ${…}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"sweep.space.{key}", value, "must be a finite number")
        check_secrets({key: value})  # Each value is stored with its trial.
    unique: dict[object, Any] = {}
    for value in values:
        unique.setdefault(_identity(value), value)
    written = values if len(unique) < len(values) else ()
    return Dimension(key, key, choices=tuple(unique.values()), written=written)


def _range(key: str, value: Any) -> Dimension:  # noqa: ANN401
    name, shown = f"sweep.space.{key}", f"range({value.start},{value.stop},{value.step})"
    start, stop, step = value.start, value.stop, value.step
    if not all(isinstance(n, int | float) and math.isfinite(n) for n in (start, stop, step)):
        raise BadInput(name, shown, "must have finite numbers")
    if step == 0:
        raise BadInput(name, shown, "must have a step that is not 0")
    if all(isinstance(n, int) for n in (start, stop, step)):
        whole = value.range()
        if not whole:
            raise BadInput(name, shown, "is empty")
        low, high = min(whole[0], whole[-1]), max(whole[0], whole[-1])
        if high - low > MOST_WHOLE or low < -MOST_WHOLE or high > MOST_WHOLE:
            raise BadInput(name, shown, "must stay within 2^63-1")
        return Dimension(key, key, low=low, high=high, integer=True, step=abs(step))
    if abs(stop - start) / abs(step) > MOST_LISTED:
        raise BadInput(
            name, shown, f"lists more than {MOST_LISTED:,} values; use interval({start},{stop})"
        )
    listed = list(value.range())
    if not listed:
        raise BadInput(name, shown, "is empty")
    # As choices, because a float step rarely divides its range exactly.
    return choice_dimension(key, tuple(listed))


def checked_bounds(key: str, start: Any, end: Any, log: bool) -> tuple[float, float]:  # noqa: ANN401
    """Return the ends of an interval.

    Raises:
        BadInput: they are not finite, not in order, or not above 0 on a log axis.
    """
    shown = f"interval({start}, {end})"
    for bound in (start, end):
        if not isinstance(bound, int | float) or not math.isfinite(bound):
            raise BadInput(f"sweep.space.{key}", shown, "both ends must be finite numbers")
    if start > end:
        raise BadInput(f"sweep.space.{key}", shown, "the lower end must come first")
    if log and start <= 0:
        raise BadInput(f"sweep.space.{key}", shown, "a log range must start above 0")
    return start, end


def _identity(value: object) -> object:
    """Return what is equal for values that mean the same: 1, 1.0 and 1e0, also in lists."""
    if isinstance(value, int | float):
        return isinstance(value, bool), value
    return digest(value)


def _same(a: object, b: object) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _hashable(value: object) -> Any:  # noqa: ANN401
    """Return a value that Optuna takes as a category: None, bool, int, float, or str for others."""
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
