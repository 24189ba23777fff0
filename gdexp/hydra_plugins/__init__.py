"""Hydra as gdexp has it: with the sweeper of this folder, and without secrets in its files."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from gdexp.core import mask_yaml

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
    _hide_in_files()


def _hide_in_files() -> None:
    """Have what Hydra writes where `hydra.output_subdir` is set hold no secret."""
    from hydra.core import utils
    from omegaconf import OmegaConf

    def save(cfg: Any, filename: str, output_dir: Path) -> None:  # noqa: ANN401
        output_dir.mkdir(parents=True, exist_ok=True)
        text = mask_yaml(OmegaConf.to_yaml(cfg))
        (output_dir / filename).write_text(text, encoding="utf-8")

    utils._save_config = save
