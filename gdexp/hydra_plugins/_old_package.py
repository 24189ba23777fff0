"""The package of hydra-optuna-sweeper, and what stands in for it where it is not installed."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec

from gdexp.hydra_plugins import register

PLUGIN = "hydra_plugins.gdexp_sweeper"
OLD = "hydra_plugins.hydra_optuna_sweeper"
OLD_MODULE = f"{OLD}.optuna_sweeper"

SWEEPER = "OptunaSweeper"

OURS = "gdexp"
"""The origin of the modules that stand in for it."""


def is_alone() -> bool:
    """Return whether hydra-optuna-sweeper is not installed: what has its name is ours."""
    try:
        found = find_spec(OLD)
    except ModuleNotFoundError:  # an entry point led here, and no plugin lies in a folder
        register()
        found = find_spec(OLD)
    return found is None or found.origin == OURS


def stand_in() -> None:
    """Let gdexp's sweeper be found by the old path: Hydra imports what `_target_` names."""
    for name in (OLD, OLD_MODULE):
        spec = ModuleSpec(name, None, origin=OURS, is_package=name == OLD)
        module = sys.modules[name] = module_from_spec(spec)
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, module)
    module.__getattr__ = _sweeper  # type: ignore[method-assign]


def _sweeper(name: str) -> object:
    """Return the class of the old module: that of the plugin, which may be a copy."""
    if name != SWEEPER:
        raise AttributeError(f"module {OLD_MODULE!r} has no attribute {name!r}")
    return getattr(import_module(PLUGIN), name)
