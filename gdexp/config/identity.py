"""The signature of a config; equal configs have equal signatures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gdexp.config.keys import OUTCOME_KEYS, Config


def outcome(config: Mapping[str, Any]) -> Config:
    """Return the part of a config that decides a descent's outcome."""
    return {key: config[key] for key in OUTCOME_KEYS if key in config}


def signature(config: Mapping[str, Any]) -> str:
    """Return the first 16 hex digits of the sha256 of what decides a descent's outcome."""
    return digest(outcome(config))


def digest(value: object) -> str:
    """Return the first 16 hex digits of the sha256 of a value's canonical JSON."""
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(value: object) -> object:
    """Return the value with equal numbers written alike: 1.0 as 1."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
