"""The plugins that gdexp adds to Hydra: the sweeper in this folder."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

__all__ = ["register"]


def register() -> None:
    """Make the sweeper beside this file visible to Hydra; doing it twice changes nothing."""
    here = str(Path(__file__).parent)
    try:
        namespace = importlib.import_module("hydra_plugins")
    except ModuleNotFoundError:  # no other plugin is installed, so there is no such package
        namespace = ModuleType("hydra_plugins")
        namespace.__path__ = []
        sys.modules["hydra_plugins"] = namespace
    if here not in namespace.__path__:
        namespace.__path__.append(here)
