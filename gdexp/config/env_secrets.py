"""Which values of a config may not be stored: texts from environment variables, named secrets.

What decides a descent is kept with its run, or the run could not be made again. So a value that
must not be kept cannot decide anything, and is refused before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gdexp.core import MASK, BadInput, has_secret, is_secret_key, learn_secret

TAKE_TEXT = ("tracking.uri", "sweep.storage")
"""Keys that take a text from an environment variable: they are not stored with the runs."""

_INSTEAD = (
    "and what decides a run is stored with it; let your own code read it from an environment "
    "variable"
)

_used: list[str] = []
"""The environment variables that were read for configs, in order."""


def watch() -> None:
    """Let `${oc.env:NAME}` tell what it gives; that is hidden from then on where it is shown."""
    from omegaconf import OmegaConf
    from omegaconf.resolvers import oc

    def env(name: str, *default: object) -> object:
        value = oc.env(name, *default)
        if name in os.environ:
            _used.append(name)
            learn_secret(str(value))
        return value

    OmegaConf.register_new_resolver("oc.env", env, replace=True)


def check_environment(node: Any, path: str = "") -> None:  # noqa: ANN401
    """Refuse a text from an environment variable under a key that is stored.

    A number is recorded as any other is: it is no secret, and a seed may well come from there.

    Args:
        node: a DictConfig or ListConfig, not yet resolved, composed since `watch`.
        path: its key with a dot behind, or nothing.

    Raises:
        BadInput: names the key and the variable, not the value.
    """
    from omegaconf import DictConfig, ListConfig, OmegaConf

    keys: Any = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        if OmegaConf.is_missing(node, key):
            continue
        before, value = len(_used), node[key]
        inside = isinstance(value, DictConfig | ListConfig)
        if not OmegaConf.is_interpolation(node, key):
            if inside:
                check_environment(value, f"{path}{key}.")
            continue
        found = OmegaConf.to_container(value, resolve=True) if inside else value
        if len(_used) > before and f"{path}{key}" not in TAKE_TEXT and not _numbers(found):
            raise BadInput(
                f"{path}{key}",
                MASK,
                f"is a text from the environment variable {_used[-1]}, perhaps a secret, and would "
                f"be stored; only {', '.join(TAKE_TEXT)} takes one. Write the value itself",
            )


def check_secrets(config: Mapping[str, Any], path: str = "") -> None:
    """Refuse values under keys that look like secrets, and texts that hold one under any key.

    Raises:
        BadInput: names the key and does not show the value.
    """
    for key, value in config.items():
        if is_secret_key(str(key)) and value is not None and not isinstance(value, bool):
            raise BadInput(f"{path}{key}", MASK, f"looks like a secret, {_INSTEAD}")
        if f"{path}{key}" not in TAKE_TEXT:
            check_text_secrets(f"{path}{key}", value)


def check_text_secrets(key: str, value: object) -> None:
    """Refuse a value with a password, a user in an address or a token in it, however deep.

    Raises:
        BadInput: names the key and does not show the value.
    """
    if isinstance(value, Mapping):
        check_secrets(value, f"{key}.")
    elif isinstance(value, list | tuple):
        for item in value:
            check_text_secrets(key, item)
    elif isinstance(value, str) and has_secret(value):
        raise BadInput(key, MASK, f"holds what looks like a secret, {_INSTEAD}")


def _numbers(value: object) -> bool:
    """Whether there are only numbers, true, false and null in it."""
    if isinstance(value, list):
        return all(map(_numbers, value))
    return value is None or isinstance(value, bool | int | float)
