"""The composed config: converted to plain containers, and checked before anything is written.

This module works on plain dictionaries and imports neither torch nor mlflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdexp.config import env_secrets
from gdexp.config.keys import COMMANDS, KEYS, NAMES, ONLY_WITH, OUTCOME_KEYS, Config
from gdexp.core import BadInput, json_output, mask_value, nearest, validation

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig


def shipped() -> Path:
    """Return the folder `conf`: in an installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def plain(cfg: DictConfig) -> Config:
    """Return the composed config as plain containers, with interpolations resolved.

    Raises:
        BadInput: an interpolation that cannot be resolved, a missing value (???), or a
            text from an environment variable under a key that is stored.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with env_secrets.environment_learned():
            env_secrets.check_environment(cfg)
            container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "config"
        reason = str(error).splitlines()[0]
        raise BadInput(str(key), "", f"cannot be resolved: {reason}") from None
    if not isinstance(container, dict):
        raise BadInput("config", container, "must be a mapping of keys to values")
    return {str(key): value for key, value in container.items()}


def check_keys(config: Mapping[str, Any]) -> None:
    """Refuse unknown top-level keys, missing keys, and two commands at once."""
    for key in config:
        if key not in KEYS:
            raise BadInput(str(key), config[key], f"unknown key; {_ways(key, config[key])}")
        for inner, value in config[key].items() if isinstance(config[key], Mapping) else ():
            if inner in KEYS and isinstance(value, Mapping):
                raise BadInput(f"{key}.{inner}", value, f"unknown key; {_ways(key, config[key])}")
        if key in ONLY_WITH and not set(ONLY_WITH[key]) & config.keys():
            raise BadInput(str(key), config[key], f"is only read with +{ONLY_WITH[key][0]}=RUN_ID")
    for key in (*OUTCOME_KEYS, "tracking"):
        if key not in config:
            raise BadInput(key, "", "was removed; leave it out to have its default")
    validation.choice("output", config.get("output", json_output.TEXT), json_output.OUTPUTS)
    asked = [name for name in COMMANDS if name in config]
    if len(asked) > 1:
        raise BadInput("+" + asked[1], "", f"one command at a time; +{asked[0]} was given too")
    env_secrets.check_secrets(config)


def _ways(key: str, value: object) -> str:
    """Return what to do about an unknown key, perhaps of a file that misses its package line."""
    if isinstance(value, Mapping) and set(map(str, value)) & set(KEYS):
        return f"a file of {key}/ that sets other groups begins with the line '# @package _global_'"
    meant = nearest(str(key), KEYS)
    named = [name for name in COMMANDS if meant == f"did you mean {name}?"]
    return f"did you mean +{named[0]}?" if named else meant


def typed_overrides() -> list[str]:
    """Return the overrides of the command line, unresolved; none outside of a command."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    if not HydraConfig.initialized():
        return []
    lines: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return list(lines)


def parse_overrides(lines: Iterable[str]) -> list[Override]:
    """Parse overrides and refuse a key that is given twice or removed."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    overrides = OverridesParser.create().parse_overrides([str(line) for line in lines])
    check_overrides(overrides)
    return overrides


def check_overrides(overrides: Iterable[Override]) -> None:
    """Refuse a key that is given twice, of which Hydra would drop one, or that is removed."""
    seen: dict[str, str] = {}
    for override in overrides:
        key = override.get_key_element().lstrip("+~")
        value = str(override.input_line).partition("=")[2]
        if override.is_delete():
            raise BadInput(f"~{key}", value, "cannot be removed; give the key a value instead")
        if key in seen:
            raise BadInput(key, value, f"was given twice, first as {mask_value(key, seen[key])}")
        if key in NAMES:
            group = NAMES[key]
            raise BadInput(key, value, f"follows from the choice; write {group}={value}")
        if key == "optimizer.schedule" and value.isidentifier():
            raise BadInput(key, value, f"is a group of keys; write optimizer/schedule={value}")
        seen[key] = value
