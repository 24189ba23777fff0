"""The command that repeats an experiment: the fewest overrides that recreate its config."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from gdexp.config.composed import shipped
from gdexp.config.keys import OUTCOME_KEYS, Config
from gdexp.config.nested import flatten, has, lookup

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
RESERVED = {"null", "true", "false", "nan", "inf"}
FILE = re.compile(r"[A-Za-z_][\w-]*(?:/[A-Za-z_][\w-]*)*")
"""What a file below `conf` is called; a name that came with a stored config may be anything."""

GROUPS = ("problem", "optimizer", "optimizer/schedule", "stopping")
"""The groups of files that decide a descent's outcome."""


def shortest_command(wanted: Mapping[str, Any]) -> str:
    """`python -m gdexp …` with an override for every key that the shipped files set otherwise."""
    return " ".join(["python -m gdexp", *(shlex.quote(line) for line in overrides(wanted))])


def overrides(wanted: Mapping[str, Any]) -> list[str]:
    """The overrides themselves, group choices first.

    They start from the defaults, or from the shipped experiment that needs fewer.
    """
    after = {key: wanted[key] for key in OUTCOME_KEYS}
    flat = flatten(after)
    found = [_from(name, after, flat) for name in (None, *_experiments())]
    return min(
        (lines for lines in found if lines is not None),
        key=lambda lines: (len(lines), sum(map(len, lines))),
    )


def literal(value: object) -> str:
    """A value in the grammar of Hydra's overrides."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(literal(item) for item in value) + "]"
    text = str(value)
    if PLAIN.fullmatch(text) and text.lower() not in RESERVED:
        return text
    from hydra.core.override_parser.types import Quote, QuotedString

    return str(QuotedString(text, Quote.single).with_quotes())


def _from(experiment: str | None, wanted: Config, flat: Config) -> list[str] | None:
    """The overrides behind an experiment's; None where that chooses other files than are wanted.

    Its values would go into those other files, which may have no such keys.
    """
    chosen = _choices(experiment)
    names = {group: _chosen(group, wanted, chosen[group]) for group in GROUPS}
    lines = [f"{group}={name}" for group, name in names.items() if name != chosen[group]]
    if experiment is not None:
        if lines:
            return None
        lines = [f"experiment={experiment}"]
    before, values = _known(experiment, tuple(names.items()))
    given: dict[str, str] = {}
    for key, value in flat.items():
        if key not in values:
            key, value = _whole(key, before, wanted)
            sign = "" if has(before, key) else "+"
            given[key] = f"{sign}{key}={literal(value)}"
        elif values[key] != value:
            given[key] = f"{key}={literal(value)}"
    return lines + list(given.values())


def _whole(key: str, before: Config, wanted: Config) -> tuple[str, Any]:
    """The key to be given for one that is new, with its value.

    Inside a group that takes the place of a plain value, such as options where there was null,
    that is the group.
    """
    parts = key.split(".")
    outer = (".".join(parts[:used]) for used in range(1, len(parts)))
    for name in outer:
        if has(before, name) and not isinstance(lookup(before, name), Mapping):
            return name, lookup(wanted, name)
    return key, lookup(wanted, key)


def _chosen(group: str, wanted: Mapping[str, Any], default: str) -> str:
    """The file that a group of the config was composed of."""
    node: object = wanted
    for part in group.split("/"):
        node = node.get(part) if isinstance(node, Mapping) else None
    return str(node.get("name", default)) if isinstance(node, Mapping) else default


@cache
def _known(experiment: str | None, names: tuple[tuple[str, str], ...]) -> tuple[Config, Config]:
    """What the shipped files compose to, nested and flat."""
    base = _load("config")
    known: Config = {key: base[key] for key in OUTCOME_KEYS if key in base}
    for group, name in names:
        *outer, last = group.split("/")
        place = known
        for part in outer:
            place = place[part]
        place[last] = dict(_load(f"{group}/{name}"))
    if experiment is not None:
        known = _merged(known, _load(f"experiment/{experiment}"))
    return known, flatten(known)


def _merged(below: Config, above: Config) -> Config:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


@cache
def _choices(experiment: str | None) -> dict[str, str]:
    """The file that each group is composed of where nothing else is chosen."""
    found = {"optimizer/schedule": "constant"}
    for name in ("config", *([] if experiment is None else [f"experiment/{experiment}"])):
        entries = [entry for entry in _read(name).get("defaults", ()) if isinstance(entry, dict)]
        for group, choice in (pair for entry in entries for pair in entry.items()):
            found[str(group).removeprefix("override ").lstrip("/")] = str(choice)
    return found


@cache
def _experiments() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (shipped() / "experiment").glob("*.yaml")))


def _load(name: str) -> Config:
    """The values of a shipped file."""
    return {key: value for key, value in _read(name).items() if key != "defaults"}


@cache
def _read(name: str) -> Config:
    from omegaconf import OmegaConf

    path = shipped() / f"{name}.yaml"
    if (
        not FILE.fullmatch(name) or not path.exists()
    ):  # the choice comes from the user's own folder: nothing is known of it
        return {}
    loaded: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {str(key): value for key, value in loaded.items()}
