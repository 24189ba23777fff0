"""Values under dotted keys of a nested config: read, listed and replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from gdexp.config.keys import FREE, Config
from gdexp.core import BadInput, nearest

PLAIN = frozenset({float, int, bool, str, type(None)})
"""The types of most values."""


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the config with nested keys joined by dots; lists stay as they are."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if value and is_group(value):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def is_group(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a value is a group of keys.

    The quick tests come first: a sweep looks at all values of each trial's config.
    """
    if type(value) is dict:
        return True
    return type(value) not in PLAIN and isinstance(value, Mapping)


def lookup(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401
    """Return the value under a dotted key.

    Raises:
        BadInput: no such key; the nearest existing one is offered.
    """
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            raise BadInput(key, "", f"unknown key; {nearest(key, flatten(config))}")
        node = node[part]
    return node


def with_values(config: Mapping[str, Any], values: Mapping[str, Any]) -> Config:
    """Return a copy of the config with other values under dotted keys.

    They must exist, but for the arguments of the user's own code.
    """
    changed: Config = dict(config)
    for key, value in values.items():
        if not key.startswith(FREE):
            lookup(changed, key)
        _put(changed, key.split("."), value)
    return changed


def has(config: Mapping[str, Any], key: str) -> bool:
    """Return whether there is a value under a dotted key."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def with_group(config: Mapping[str, Any], path: str, group: Mapping[str, Any]) -> Config:
    """Return a copy of the config with another group under a dotted path."""
    changed: Config = dict(config)
    _put(changed, path.split("."), group)
    return changed


def _put(config: Config, path: Sequence[str], value: object) -> None:
    if len(path) == 1:
        config[path[0]] = value
        return
    config[path[0]] = dict(config[path[0]] or {})
    _put(config[path[0]], path[1:], value)
