"""The identity of a config: its signature, and what is left out of it so that it lasts.

A signature and a study's definition are compared with those that earlier versions stored. So a key
that a version adds is left out of both while its value means what earlier versions did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gdexp.config.keys import ADDED_KEYS, OUTCOME_KEYS, Config
from gdexp.config.nested import is_group

SCHEMA = 1
"""The form of signatures and definitions. What was stored without a number has form 1."""

NUMERICS = 1
"""The version of gdexp's arithmetic; it rises when a descent may give other bits. What was stored
without a number has version 1."""

ARITHMETIC = 1
"""The version of the portable engine's arithmetic. It rises when the order of an operation, a
function, a constant or a coefficient changes: `tests/data/portable` holds the bits of a version."""

PORTABLE = "portable"
"""The value of `engine` for which the version of the portable arithmetic counts."""

EARLIER_MEANING: Mapping[str, object] = {"schema": 1, "numerics": 1, **ADDED_KEYS}
"""Keys that not all versions wrote, each with the value that means what happened without the key.

A key of a config stands here with dots (`stopping.measure`), a key of `sweep` as `Plan.definition`
has it (`cap`). An entry is never removed or changed.
"""

_CANONICAL_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)
"""Made once: `json.dumps` makes one for each value that has a `default`."""


def outcome(config: Mapping[str, Any]) -> Config:
    """Return the part of a config that decides a descent's outcome."""
    return {key: config[key] for key in OUTCOME_KEYS if key in config}


def signature(
    config: Mapping[str, Any],
    code: Mapping[str, str] | None = None,
    numerics: int = NUMERICS,
    arithmetic: int = ARITHMETIC,
) -> str:
    """Return the signature of a descent: `CONFIG`, or `CONFIG-CODE` where the user's code runs.

    Args:
        config: the config of the descent; only what decides its outcome counts.
        code: digest of each file of the user's own code and data, by name; empty where the
            descent uses none, None where the files are not known.
        numerics: the version of gdexp's arithmetic.
        arithmetic: that of the portable engine's; it decides nothing of a descent on torch's.

    Returns:
        One or two groups of 16 hex digits, each the start of a sha256.
    """
    decisive = {**outcome(config), "schema": SCHEMA, "numerics": numerics}
    if config.get("engine") == PORTABLE:
        decisive["arithmetic"] = arithmetic
    first = digest(without_earlier_meaning(decisive))
    return f"{first}-{digest(code)}" if code else first


def config_signature(signature: str) -> str:
    """Return the part of a signature that the config decides."""
    return signature.partition("-")[0]


def without_earlier_meaning(value: Mapping[str, Any], prefix: str = "") -> Config:
    """Return a config or a part of one without the keys that mean what happened without them.

    Args:
        value: nested, or with dots in its keys.
        prefix: the key of the part, with a dot at its end.
    """
    kept: Config = {}
    for key, item in value.items():
        name = f"{prefix}{key}"
        if name in EARLIER_MEANING and _same(item, EARLIER_MEANING[name]):
            continue
        kept[key] = without_earlier_meaning(item, f"{name}.") if is_group(item) else item
    return kept


def digest(value: object) -> str:
    """Return the first 16 hex digits of the sha256 of a value's canonical JSON."""
    text = _CANONICAL_JSON.encode(_canonical(value))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _same(value: object, other: object) -> bool:
    """Return whether two values are written alike: `1` and `1.0` are, `1` and `true` are not."""
    if isinstance(value, bool) != isinstance(other, bool):
        return False
    return value is other or bool(_canonical(value) == _canonical(other))


def _canonical(value: object) -> object:
    """Return the value with equal numbers written alike: 1.0 as 1."""
    if value is None or type(value) in (str, bool, int):  # most values, and the quickest test
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if is_group(value):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value
