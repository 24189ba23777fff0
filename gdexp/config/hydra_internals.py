"""The private parts of Hydra that gdexp uses; all of them are in this module.

A test names the part that is missing when Hydra changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gdexp.core import mask_secrets

BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
"""Hydra's default launcher, which runs jobs one after another in the driver's process."""


@contextmanager
def masked_config_files() -> Iterator[None]:
    """Mask the secrets in the files that Hydra writes where `hydra.output_subdir` is set.

    Hydra has no public hook before it writes them: its callbacks come later, when the secrets are
    on the disk.
    """
    from hydra.core import utils
    from omegaconf import OmegaConf

    original = utils._save_config

    def save(cfg: Any, filename: str, output_dir: Path) -> None:  # noqa: ANN401
        output_dir.mkdir(parents=True, exist_ok=True)
        (output_dir / filename).write_text(mask_secrets(OmegaConf.to_yaml(cfg)), encoding="utf-8")

    utils._save_config = save
    try:
        yield
    finally:
        utils._save_config = original
