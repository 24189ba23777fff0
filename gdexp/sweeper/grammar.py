"""The sweep expressions of `hydra.sweeper.params` and of the command line, as dimensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gdexp.config import literal
from gdexp.core import BadInput
from gdexp.sweeper.job_space import JobDimension
from gdexp.sweeps import checked_bounds, choice_dimension, unquoted

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override, RangeSweep

PARAMS = "hydra.sweeper.params"
GroupOptions = Callable[[str], list[str]]


@dataclass(frozen=True)
class Expressions:
    """What is swept, and what every job has beside it.

    Attributes:
        dimensions: by name, which is the key as it was written, with `+` or a package.
        fixed: the override of each other key.
        notes: what an expression means otherwise than it may seem, one line each.
    """

    dimensions: Mapping[str, JobDimension]
    fixed: Mapping[str, Override]
    notes: Sequence[str] = ()

    @property
    def lines(self) -> list[str]:
        """The overrides that every job has."""
        return [str(each.input_line) for each in self.fixed.values()]


def read_expressions(
    params: Mapping[str, Any],
    arguments: Sequence[str],
    options: GroupOptions,
    exclusive: bool = False,
) -> Expressions:
    """Read what is swept: `params` first, then the command line, which replaces them.

    Args:
        params: key to expression or value.
        arguments: the overrides of the command line.
        options: returns the files of a config group, for `glob(…)`.
        exclusive: whether a range ends before its stop, as of a grid; else at it.

    Raises:
        BadInput: names the key of an expression that cannot be read, or that has no value.
    """
    dimensions: dict[str, JobDimension] = {}
    fixed: dict[str, Override] = {}
    notes: dict[str, str] = {}
    lines = [(f"{PARAMS}.{key}", f"{key}={_text(value)}") for key, value in params.items()]
    for where, line in [*lines, *((line.partition("=")[0], line) for line in arguments)]:
        override = _parsed(where, line)
        name = str(override.get_key_element())
        for known in (dimensions, fixed):  # the later one replaces the earlier
            for same in [each for each in known if each.lstrip("+") == name.lstrip("+")]:
                del known[same]
                notes.pop(same, None)
        if override.is_sweep_override():
            with _named(where):
                dimensions[name] = dimension(name, override, options, exclusive)
            if note := _note(where, override):
                notes[name] = note
        else:
            fixed[name] = override
    return Expressions(dimensions, fixed, tuple(notes.values()))


def _note(where: str, override: Override) -> str:
    """Return what Hydra does with an expression that it may not seem to; empty if nothing.

    It cuts the ends of `int(interval(0.5,4))` towards 0, and every tag is one to it.
    """
    from hydra.core.override_parser.types import IntervalSweep

    value: Any = override.value()
    tags, start = sorted(getattr(value, "tags", ())), getattr(value, "start", None)
    unread = [each for each in tags if each != "log" or not isinstance(value, IntervalSweep)]
    if unread:
        why = "is read in an interval alone" if unread[0] == "log" else "means nothing"
        return f"{where}={_expression(override)}: the tag {unread[0]} {why}"
    if not isinstance(value, IntervalSweep) or not isinstance(start, int):
        return ""
    line = str(override.input_line).partition("=")
    written: Any = _parsed(where, f"{line[0]}={line[2].replace('int(', 'float(')}").value()
    if (written.start, written.end) == (start, value.end):
        return ""
    return f"{where}={line[2]}: the ends are cut to {start} and {value.end}"


def dimension(
    name: str, override: Override, options: GroupOptions, exclusive: bool = False
) -> JobDimension:
    """Return the dimension of a sweep expression.

    Args:
        name: the key.
        override: with the expression.
        options: as in `read_expressions`.
        exclusive: as in `read_expressions`.

    Raises:
        BadInput: it has no value, or its ends are not in order.
    """
    from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, RangeSweep

    value: Any = override.value()
    if isinstance(value, Glob):
        found = value.filter(options(str(override.key_or_group)))
        if not found:
            raise BadInput(name, _expression(override), "matches no file of this config group")
        return _choices(name, found)
    if isinstance(value, RangeSweep):
        return _range(name, value, exclusive)
    if isinstance(value, IntervalSweep):
        log = "log" in value.tags
        low, high = checked_bounds(name, value.start, value.end, log)
        whole = all(isinstance(bound, int) for bound in (value.start, value.end))
        return JobDimension(name, name, low=low, high=high, log=log, integer=whole)
    if isinstance(value, ChoiceSweep):
        return _choices(name, list(map(unquoted, value.list)))
    raise BadInput(name, _expression(override), "is no sweep that gdexp knows")


def _range(name: str, value: RangeSweep, exclusive: bool) -> JobDimension:
    start, stop, step = (_number(name, each) for each in (value.start, value.stop, value.step))
    shown = f"range({start},{stop},{step})"
    if step == 0:
        raise BadInput(name, shown, "must have a step that is not 0")
    if value.shuffle or exclusive:
        listed = list(value.range())
        if not listed:
            raise BadInput(name, shown, "is empty")
        return _choices(name, listed)
    count = int((stop - start) // step)
    if count < 0:
        raise BadInput(name, shown, "is empty")
    last = start + count * step
    low, high = min(start, last), max(start, last)
    whole = all(isinstance(each, int) for each in (value.start, value.stop, value.step))
    if low == high:
        return _choices(name, [int(low) if whole else float(low)])
    return JobDimension(
        name, name, low=float(low), high=float(high), integer=whole, step=float(abs(step))
    )


def _number(name: str, given: Any) -> Decimal:  # noqa: ANN401
    number = Decimal(str(given))  # as it was written: 0.1 + 0.2 is 0.3
    if not number.is_finite():
        raise BadInput(name, given, "must be a finite number")
    return number


def _choices(name: str, values: Sequence[Any]) -> JobDimension:
    made = choice_dimension(name, tuple(values), plain=False)
    return JobDimension(name, name, choices=made.choices)


def _parsed(where: str, line: str) -> Override:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(line)
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise BadInput(where, line.partition("=")[2], f"cannot be read: {reason}") from None


def _text(value: object) -> str:
    """Return an entry of `params` as an override's value; a text is an expression."""
    return value if isinstance(value, str) else literal(value)


def _expression(override: Override) -> str:
    return str(override.input_line).partition("=")[2]


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Let errors of an expression name the key where it stands."""
    try:
        yield
    except BadInput as error:
        raise BadInput(where, error.value, error.allowed) from None
