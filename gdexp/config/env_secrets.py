"""Values of a config that may not be stored: texts from environment variables, and secrets.

What decides a descent is stored with its run, or the run could not be repeated. So a value that
must not be stored cannot decide anything, and is refused before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gdexp.core import MASK, BadInput, context_value, has_secret, is_secret, learn_secret

TAKE_TEXT = ("tracking.uri", "sweep.storage")
"""Keys that take a text from an environment variable: they are not stored with the runs."""

_INSTEAD = (
    "and what decides a run is stored with it; let your own code read it from an environment "
    "variable"
)

_READ: ContextVar[list[str] | None] = ContextVar("gdexp_variables_read", default=None)
"""The environment variables that were read for the value under check, in order."""

_LEARNING: ContextVar[bool] = ContextVar("gdexp_learning_from_environment", default=False)


@contextmanager
def environment_learned() -> Iterator[None]:
    """Learn as a secret whatever `${oc.env:NAME}` gives inside the block."""
    if _LEARNING.get():
        yield
        return
    from omegaconf import OmegaConf
    from omegaconf.resolvers import oc

    with context_value(_LEARNING, True):
        OmegaConf.register_new_resolver("oc.env", read_variable, replace=True)
        try:
            yield
        finally:
            OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def read_variable(name: str, *default: object) -> object:
    """Resolve `${oc.env:NAME}` and learn the value.

    Hydra sends its resolvers to jobs elsewhere, so this is a function that can be pickled by name.
    """
    from omegaconf.resolvers import oc

    value = oc.env(name, *default)
    if name in os.environ:
        read = _READ.get()
        if read is not None:
            read.append(name)
        learn_secret(str(value))
    return value


def check_environment(node: Any, path: str = "") -> None:  # noqa: ANN401
    """Refuse a text from an environment variable under a key that is stored.

    A number is recorded like any other: it is no secret, and a seed may well come from there.

    Args:
        node: a DictConfig or ListConfig, not yet resolved; inside `environment_learned`.
        path: its key with a dot behind, or nothing.

    Raises:
        BadInput: names the key and the variable, not the value.
    """
    from omegaconf import DictConfig, ListConfig, OmegaConf

    keys: Any = node if isinstance(node, DictConfig) else range(len(node))
    for key in keys:
        if OmegaConf.is_missing(node, key):
            continue
        read: list[str] = []
        interpolated = OmegaConf.is_interpolation(node, key)
        with context_value(_READ, read):
            value = node[key]
            inside = isinstance(value, DictConfig | ListConfig)
            if inside and interpolated:
                value = OmegaConf.to_container(value, resolve=True)
        if not interpolated:
            if inside:
                check_environment(value, f"{path}{key}.")
            continue
        if read and f"{path}{key}" not in TAKE_TEXT and not _numbers(value):
            raise BadInput(
                f"{path}{key}",
                MASK,
                f"is a text from the environment variable {read[-1]}, perhaps a secret, and would "
                f"be stored; only {', '.join(TAKE_TEXT)} takes one. Write the value itself",
            )


def check_secrets(config: Mapping[str, Any], path: str = "") -> None:
    """Refuse values under keys that look like secrets, and texts with a secret under any key.

    Raises:
        BadInput: names the key and does not show the value.
    """
    for key, value in config.items():
        if is_secret(str(key), value):
            raise BadInput(f"{path}{key}", MASK, f"looks like a secret, {_INSTEAD}")
        if f"{path}{key}" not in TAKE_TEXT:
            check_text_secrets(f"{path}{key}", value)


def check_text_secrets(key: str, value: object) -> None:
    """Refuse a value with a password, a user in an address or a token in it, at any depth.

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
    """Return whether the value holds only numbers, true, false and null."""
    if isinstance(value, list):
        return all(map(_numbers, value))
    return value is None or isinstance(value, bool | int | float)
