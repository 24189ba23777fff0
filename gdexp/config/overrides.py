"""The command that repeats an experiment: the fewest overrides that recreate its config."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from gdexp.config.composed import shipped
from gdexp.config.import_paths import why_not_rerunnable
from gdexp.config.keys import ADDED_KEYS, OUTCOME_KEYS, Config
from gdexp.config.nested import flatten, has, is_group, lookup

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
RESERVED = {"null", "true", "false", "nan", "inf"}
FILE = re.compile(r"[A-Za-z_][\w-]*(?:/[A-Za-z_][\w-]*)*")
"""The valid names of files below `conf`; a name in a stored config may be anything."""

TRAININGS, UPDATES = ("training",), "optimizer/updates/default"
"""The problems whose files add further keys to `optimizer`, and the file of these keys."""

_MISSING = object()
"""Unequal to every value of a config."""

GROUPS = ("problem", "optimizer", "optimizer/schedule", "stopping")
"""The groups of files that decide a descent's outcome."""


def shortest_command(wanted: Mapping[str, Any]) -> str:
    """Return `python -m gdexp …` with an override for each key that is not as shipped.

    Of a run that no command repeats it is a comment that says so.
    """
    if (reason := why_not_rerunnable(wanted)) is not None:
        return f"# {reason}"
    return " ".join(["python -m gdexp", *(shlex.quote(line) for line in overrides(wanted))])


def overrides(wanted: Mapping[str, Any]) -> list[str]:
    """Return the overrides that recreate a config, group choices first.

    They start from the defaults, or from the shipped experiment that needs fewer.
    """
    meant = {**ADDED_KEYS, **wanted}
    after = {key: meant[key] for key in OUTCOME_KEYS if key in meant}
    flat = flatten(after)
    files = tuple((group, _group_file(group, after)) for group in GROUPS)
    found = (_overrides_after(start, after, flat) for start in _starts(files))
    return min(found, key=lambda lines: (len(lines), sum(map(len, lines))))


def literal(value: object) -> str:
    """Return a value in the grammar of Hydra's overrides."""
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


class _Start(NamedTuple):
    """Overrides that choose files, and the config that these compose to, nested and flat."""

    lines: list[str]
    config: Config
    values: Config


@cache
def _starts(files: tuple[tuple[str, str | None], ...]) -> list[_Start]:
    """Return where the overrides of a config may start: the defaults, and the experiments.

    An experiment that chooses other files than the config's is none: its values would go into
    those files, which may have no such keys.

    Args:
        files: of the groups of the config.
    """
    found = []
    for experiment in (None, *_experiments()):
        chosen = _choices(experiment)
        names = {group: file or chosen[group] for group, file in files}
        lines = [f"{group}={name}" for group, name in names.items() if name != chosen[group]]
        if experiment is not None:
            if lines:
                continue
            lines = [f"experiment={experiment}"]
        found.append(_Start(lines, *_composed(experiment, tuple(names.items()))))
    return found


def _overrides_after(start: _Start, wanted: Config, flat: Config) -> list[str]:
    """Return the overrides that recreate a config from a start."""
    lines, before, values = start
    given: dict[str, str] = {}
    different = [key for key, value in flat.items() if values.get(key, _MISSING) != value]
    for key in different:
        if key in values:
            given[key] = f"{key}={literal(flat[key])}"
            continue
        name, value = _new_key(key, before, wanted)
        sign = "" if has(before, name) else "+"
        given[name] = f"{sign}{name}={literal(value)}"
    return lines + list(given.values())


def _new_key(key: str, before: Config, wanted: Config) -> tuple[str, Any]:
    """Return the override key for a new key, with its value.

    For a key in a group that replaces a plain value, such as options instead of null, it is the
    key of the group.
    """
    parts = key.split(".")
    outer = (".".join(parts[:used]) for used in range(1, len(parts)))
    for name in outer:
        if has(before, name) and not isinstance(lookup(before, name), Mapping):
            return name, lookup(wanted, name)
    return key, lookup(wanted, key)


def _group_file(group: str, wanted: Mapping[str, Any]) -> str | None:
    """Return the file that a group of the config was composed from; None where nothing says it."""
    node: object = wanted
    for part in group.split("/"):
        node = node.get(part) if is_group(node) else None
    return str(node["name"]) if is_group(node) and "name" in node else None


@cache
def _composed(experiment: str | None, names: tuple[tuple[str, str], ...]) -> tuple[Config, Config]:
    """Return what the shipped files compose to, nested and flat."""
    base = _load("config")
    known: Config = {key: base[key] for key in OUTCOME_KEYS if key in base}
    for group, name in names:
        file = _load(f"{group}/{name}")
        if group in file:  # a file for the package _global_, which sets other keys too
            known = _merged(known, file)
            continue
        *outer, last = group.split("/")
        place = known
        for part in outer:
            place = place[part]
        updates = group == "optimizer" and dict(names)["problem"] in TRAININGS
        place[last] = {**(_load(UPDATES) if updates else {}), **file}
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
    """Return the default file of each group."""
    found = {"optimizer/schedule": "constant"}
    for name in ("config", *([] if experiment is None else [f"experiment/{experiment}"])):
        entries = [entry for entry in _read(name).get("defaults", ()) if isinstance(entry, dict)]
        for group, choice in (pair for entry in entries for pair in entry.items()):
            found[str(group).removeprefix("override ").lstrip("/")] = str(choice)
    return found


@cache
def _experiments() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in (shipped() / "experiment").glob("*.yaml")))


def shipped_values(name: str) -> Config:
    """Return the values of a shipped file, interpolations as they are written.

    Args:
        name: below `conf`, without its suffix: `optimizer/gd`.
    """
    return _load(name)


def _load(name: str) -> Config:
    """Return the values of a shipped file."""
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
