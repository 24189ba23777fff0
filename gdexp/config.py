"""What the user composed, checked before anything is written, and the signature of it.

Hydra composes; this module decides whether what came out can be used. Everything here works
on plain dictionaries and imports neither torch nor mlflow.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gdexp import environment
from gdexp.errors import BadInput, nearest
from gdexp.secrets import hidden_value

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig

T = TypeVar("T")
Config = dict[str, Any]

OUTCOME_KEYS = ("problem", "optimizer", "stopping", "seed", "dtype", "device")
"""What decides a descent's outcome; names, paths and tracking do not."""

COMMANDS = ("sweep", "rerun", "compare", "export", "inspect", "problems")
"""The `+name` commands; without one a single descent is run."""

ONLY_WITH = {"trust": "rerun", "rerun_all": "rerun"}
"""Keys that one command alone reads."""

KEYS = (*OUTCOME_KEYS, "tracking", *COMMANDS, *ONLY_WITH)


NAMES = {
    "problem.name": "problem",
    "optimizer.name": "optimizer",
    "optimizer.schedule.name": "optimizer/schedule",
}
"""Keys that say which file a group was composed of, and the group."""


def shipped() -> Path:
    """The folder `conf`: inside an installed package, beside it in a source tree."""
    package = Path(__file__).resolve().parent
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def plain(cfg: DictConfig) -> Config:
    """The composed config as plain containers, interpolations resolved.

    Raises:
        BadInput: an interpolation that cannot be resolved, a value that was left out (???), or a
            text from an environment variable under a key that is stored.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    environment.watch()
    try:
        environment.check_environment(cfg)
        container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "config"
        reason = str(error).splitlines()[0]
        raise BadInput(str(key), "", f"cannot be resolved: {reason}") from None
    if not isinstance(container, dict):
        raise BadInput("config", container, "must be a mapping of keys to values")
    return {str(key): value for key, value in container.items()}


def check_keys(config: Mapping[str, Any]) -> None:
    """Refuse top-level keys that nothing reads, keys that were removed and two commands at once."""
    for key in config:
        if key not in KEYS:
            raise BadInput(str(key), config[key], f"unknown key; {nearest(str(key), KEYS)}")
        if key in ONLY_WITH and ONLY_WITH[key] not in config:
            raise BadInput(str(key), config[key], f"is only read with +{ONLY_WITH[key]}=RUN_ID")
    for key in (*OUTCOME_KEYS, "tracking"):
        if key not in config:
            raise BadInput(key, "", "was removed; leave it out to have its default")
    asked = [name for name in COMMANDS if name in config]
    if len(asked) > 1:
        raise BadInput("+" + asked[1], "", f"one command at a time; +{asked[0]} was given too")
    environment.check_secrets(config)


def typed() -> list[str]:
    """The overrides of the command line, nothing in them resolved; none outside of a command."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return []
    lines: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return list(lines)


def check_given(lines: Iterable[str]) -> list[Override]:
    """Parse overrides and refuse a key that is given twice or removed."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = OverridesParser.create().parse_overrides([str(line) for line in lines])
    check_overrides(overrides)
    return overrides


def check_overrides(overrides: Iterable[Override]) -> None:
    """Refuse a key that is given twice or removed: silently, one of the two would be lost."""
    seen: dict[str, str] = {}
    for override in overrides:
        key = override.get_key_element().lstrip("+~")
        value = str(override.input_line).partition("=")[2]
        if override.is_delete():
            raise BadInput(f"~{key}", value, "cannot be removed; give the key a value instead")
        if key in seen:
            raise BadInput(key, value, f"was given twice, first as {hidden_value(key, seen[key])}")
        if key in NAMES:
            group = NAMES[key]
            raise BadInput(key, value, f"follows from the choice; write {group}={value}")
        if key == "optimizer.schedule" and value.isidentifier():
            raise BadInput(key, value, f"is a group of keys; write optimizer/schedule={value}")
        seen[key] = value


def construct(section: str, build: Callable[..., T], given: Mapping[str, Any]) -> T:
    """Call `build` with a config section as keyword arguments.

    Raises:
        BadInput: a key that `build` does not take (the nearest is offered), or a value that
            it refuses; the key is named in full.
    """
    allowed = _keywords(build)
    for key, value in given.items():
        if key not in allowed:
            raise BadInput(f"{section}.{key}", value, f"unknown key; {nearest(str(key), allowed)}")
    try:
        return build(**given)
    except BadInput as error:
        raise error.under(section) from None


@cache
def _keywords(build: Callable[..., object]) -> list[str]:
    """What can be given to a function by name; looked up once, however many trials there are."""
    return [
        parameter.name
        for parameter in inspect.signature(build).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]


def choose(section: str, registry: Mapping[str, Callable[..., T]], given: object) -> T:
    """Build what a section's `name` chooses from a registry, the other keys its arguments."""
    if not isinstance(given, Mapping):
        raise BadInput(section, given, f"must be a group; {nearest(str(given), registry)}")
    name = given.get("name")
    if not isinstance(name, str) or name not in registry:
        raise BadInput(f"{section}.name", name, nearest(str(name), registry))
    return construct(section, registry[name], {k: v for k, v in given.items() if k != "name"})


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined with dots; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def lookup(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401
    """The value under a dotted key.

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
    """A copy of the config with other values under dotted keys, which must exist."""
    changed: Config = dict(config)
    for key, value in values.items():
        lookup(changed, key)
        _put(changed, key.split("."), value)
    return changed


def has(config: Mapping[str, Any], key: str) -> bool:
    """Whether there is a value under a dotted key."""
    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def with_group(config: Mapping[str, Any], path: str, group: Mapping[str, Any]) -> Config:
    """A copy of the config with another group under a dotted path."""
    changed: Config = dict(config)
    _put(changed, path.split("."), group)
    return changed


def outcome(config: Mapping[str, Any]) -> Config:
    """The part of a config that decides a descent's outcome."""
    return {key: config[key] for key in OUTCOME_KEYS if key in config}


def signature(config: Mapping[str, Any]) -> str:
    """The first 16 hex digits of the sha256 of what decides a descent's outcome."""
    return digest(outcome(config))


def digest(value: object) -> str:
    """The first 16 hex digits of the sha256 of a value's canonical JSON."""
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _canonical(value: object) -> object:
    """Equal numbers written equally: 1.0 as 1."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _put(config: Config, path: Sequence[str], value: object) -> None:
    if len(path) == 1:
        config[path[0]] = value
        return
    config[path[0]] = dict(config[path[0]])
    _put(config[path[0]], path[1:], value)
