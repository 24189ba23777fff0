"""The problems that all settings of a sweep are tried on (`sweep.problems`, `sweep.held_out`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.config import literal
from gdexp.core import BadInput, validation
from gdexp.experiment import TRAININGS

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

FORM = "must be a list of problems: [matrix,{name: quadratic, mu: 0.1}]"
MOST_PROBLEMS = 1_000
BEST_KNOWN = "best_known"
"""The key of an entry that is none of the problem's file."""

KEPT = ("problem", "dtype")
"""What a problem's file may set; all else is the same for all problems."""


@dataclass(frozen=True)
class ListedProblem:
    """One of the problems of a sweep.

    Attributes:
        name: as it is shown: `quadratic mu=0.1`.
        config: what it sets in the config of a trial.
        best_known: the fewest iterations to the threshold that the user knows, or what else is
            minimised; None: not given.
    """

    name: str
    config: Mapping[str, Any]
    best_known: float | None = None

    @property
    def digest(self) -> str:
        """What tells it from the others, however it was written."""
        return problem_digest(self.config)


def problem_digest(composed: Mapping[str, Any]) -> str:
    """Return the digest of the problem in a config."""
    return config.digest({key: composed[key] for key in KEPT})


def descent_keys(problems: Sequence[ListedProblem], seeds: Iterable[int]) -> list[str]:
    """Return the keys of descents apart from the trials, by problem and then by seed.

    Args:
        problems: of the descents; none: that of the sweep.
        seeds: positions after the sweep's first seed.
    """
    if not problems:
        return list(map(str, seeds))
    positions = list(seeds)
    return [f"{problem.digest}.{seed}" for problem in problems for seed in positions]


def as_entries(key: str, given: object) -> list[tuple[str, dict[str, Any]]]:
    """Return names of files with the keys that are given with them.

    Args:
        key: of `sweep`.
        given: a list of names, and of mappings with `name`; None: no problems.

    Raises:
        BadInput: it is none.
    """
    if given is None:
        return []
    if not isinstance(given, list | tuple) or not given or len(given) > MOST_PROBLEMS:
        raise BadInput(key, given, FORM)
    found: list[tuple[str, dict[str, Any]]] = []
    for each in given:
        if isinstance(each, str):
            found.append((each, {}))
            continue
        if not isinstance(each, Mapping):
            raise BadInput(key, each, FORM)
        if not isinstance(each.get("name"), str):
            raise BadInput(key, literal(each), "needs a name beside the keys: {name: quadratic, …}")
        found.append((each["name"], {str(k): v for k, v in each.items() if k != "name"}))
    return found


def listed_problems(
    key: str,
    given: object,
    overrides: Sequence[Override],
    compose: Callable[[list[str]], config.Config],
) -> tuple[ListedProblem, ...]:
    """Return the problems of a list, each composed from its file.

    Args:
        key: of `sweep`.
        given: the list; None: no problems.
        overrides: of the whole command line.
        compose: makes a plain, checked config from overrides without ranges.

    Raises:
        BadInput: names the entry, or a key that it cannot have.
    """
    entries = as_entries(f"sweep.{key}", given)
    if not entries:
        return ()
    plain = [
        str(each.input_line)
        for each in overrides
        if not each.is_sweep_override() and _group(each) not in ("problem", "optimizer")
    ]
    usual = config.outcome(compose(plain))
    found: dict[str, ListedProblem] = {}
    for name, given_keys in entries:
        keys = {k: v for k, v in given_keys.items() if k != BEST_KNOWN}
        known = given_keys.get(BEST_KNOWN)
        if known is not None:
            known = validation.positive(f"sweep.{key}.{BEST_KNOWN}", known)
        own = [f"problem={name}", *(f"problem.{k}={literal(v)}" for k, v in keys.items())]
        shown = " ".join([name, *(f"{k}={literal(v)}" for k, v in keys.items())])
        composed = _composed(key, shown, [*plain, *own], compose)
        _check_entry(key, shown, composed, usual)
        listed = ListedProblem(shown, {each: composed[each] for each in KEPT}, known)
        if listed.digest in found:
            raise BadInput(f"sweep.{key}", shown, "is there twice: each problem counts once")
        found[listed.digest] = listed
    return tuple(found.values())


def check_given(overrides: Sequence[Override], swept: Sequence[str]) -> None:
    """Refuse a problem beside a list of them.

    Args:
        overrides: of the whole command line.
        swept: the keys of the space.

    Raises:
        BadInput: names the key.
    """
    for each in overrides:
        if _group(each) == "problem":
            key, value = each.get_key_element().lstrip("+~"), str(each.input_line)
            raise BadInput(
                key, value.partition("=")[2], "must be left out: sweep.problems names the problems"
            )
    for key in swept:
        if key.partition(".")[0] in KEPT:
            raise BadInput(key, "a range", "must be left out: sweep.problems names the problems")


def _group(override: Override) -> str:
    return re.split(r"[./]", override.get_key_element().lstrip("+~"))[0]


def _composed(
    key: str, shown: str, lines: list[str], compose: Callable[[list[str]], config.Config]
) -> config.Config:
    """Return the config of an entry; an error about one of its own keys names the entry."""
    from hydra.errors import HydraException

    try:
        return config.outcome(compose(lines))
    except HydraException as raised:
        error = config.as_gdexp_error(raised, lines, composing=True)
        if not isinstance(error, BadInput) or error.key.partition(".")[0] != "problem":
            raise error from None
        where = "" if error.key == "problem" else f"{error.key}: "
        raise BadInput(f"sweep.{key}", shown, f"{where}{error.allowed}") from None


def _check_entry(
    key: str, shown: str, composed: Mapping[str, Any], usual: Mapping[str, Any]
) -> None:
    """Refuse trainings, and files that set more than the problem."""
    if composed["problem"].get("name") in TRAININGS:
        raise BadInput(
            f"sweep.{key}", shown, "must be functions of x: a training has metrics of its own"
        )
    own, others = ({k: v for k, v in c.items() if k not in KEPT} for c in (composed, usual))
    before = config.flatten(others)
    for name, value in config.flatten(own).items():
        if before.get(name) != value:
            raise BadInput(
                f"sweep.{key}",
                shown,
                f"its file sets {name}={literal(value)} too, which must be the same for all "
                f"problems: give {name} a value on the command line",
            )
