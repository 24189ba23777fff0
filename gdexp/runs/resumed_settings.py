"""The tag of a run that went on: from where, and with which other settings than at its start.

Params of an MLflow run do not change, so they stay as they were at the start. The tag has, for
each setting that was given anew, the value that decided and the value at the start.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

RESUMED_TAG = "gdexp.resumed"

_SETTING = re.compile(r"(?P<key>[a-z_.]+)=(?P<now>.*), (?P<word>at first|before) (?P<first>.*)")
"""One setting in the tag. Earlier versions wrote `before`, and a param with the last value."""


def resumed_text(place: str, now: Mapping[str, str], first: Mapping[str, str]) -> str:
    """Return the text of the tag.

    Args:
        place: from where the run went on.
        now: the settings that can change, as texts of params.
        first: those that are others now, as they were at the start.
    """
    changes = (f"{key}={now[key]}, at first {value}" for key, value in first.items())
    return "; ".join([place, *changes])


def first_settings(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a run went on with other values of, as they were at its start."""
    return {each["key"]: each["first"] for each in _settings(tags)}


def last_settings(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that a run went on with other values of, as they were given last."""
    return {each["key"]: each["now"] for each in _settings(tags)}


def decided_params(params: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Return the params of a run with the settings that decided its result.

    A param that is not the one which the tag names stays: it was edited, and no longer agrees with
    `config.yaml`.
    """
    decided = {
        each["key"]: each["now"]
        for each in _settings(tags)
        if each["word"] == "at first" and params.get(each["key"]) == each["first"]
    }
    return {**params, **decided}


def _settings(tags: Mapping[str, str]) -> list[re.Match[str]]:
    parts = tags.get(RESUMED_TAG, "").split("; ")
    return [found for each in parts if (found := _SETTING.fullmatch(each))]
