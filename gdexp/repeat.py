"""The command that repeats an experiment: the fewest overrides that recreate its config."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from gdexp.config import OUTCOME_KEYS, Config, flatten, shipped

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
RESERVED = {"null", "true", "false", "nan", "inf"}


def shortest_command(wanted: Mapping[str, Any]) -> str:
    """`python -m gdexp …` with an override for every key that the shipped files set otherwise."""
    return " ".join(["python -m gdexp", *(shlex.quote(line) for line in overrides(wanted))])


def overrides(wanted: Mapping[str, Any]) -> list[str]:
    """The overrides themselves, group choices first."""
    base = _load("config")
    chosen = {
        key: value
        for entry in base["defaults"]
        if isinstance(entry, dict)
        for key, value in entry.items()
    }
    lines = []
    known: Config = {}
    for key in OUTCOME_KEYS:
        value = wanted[key]
        if not isinstance(value, Mapping):
            known[key] = base[key]
            continue
        name = value.get("name", chosen[key])
        if name != chosen[key]:
            lines.append(f"{key}={name}")
        known[key] = _load(f"{key}/{name}")
        schedule = value.get("schedule")
        if isinstance(schedule, Mapping):
            chosen_schedule = schedule.get("name", "constant")
            if chosen_schedule != "constant":
                lines.append(f"{key}/schedule={chosen_schedule}")
            known[key] |= {"schedule": _load(f"{key}/schedule/{chosen_schedule}")}
    before, after = flatten(known), flatten({key: wanted[key] for key in OUTCOME_KEYS})
    for key, value in after.items():
        if key not in before:
            lines.append(f"+{key}={literal(value)}")
        elif before[key] != value:
            lines.append(f"{key}={literal(value)}")
    return lines


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


@cache
def _load(name: str) -> Config:
    from omegaconf import OmegaConf

    path = shipped() / f"{name}.yaml"
    if not path.exists():  # the choice comes from the user's own folder: nothing is known of it
        return {}
    loaded: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return {key: value for key, value in loaded.items() if name == "config" or key != "defaults"}
