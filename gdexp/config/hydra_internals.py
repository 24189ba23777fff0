"""The private parts of Hydra that gdexp uses; all of them are in this module.

A test names the part that is missing when Hydra changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


@contextmanager
def mode_from_the_command() -> Iterator[None]:
    """Take Hydra's mode from the command line alone inside the block.

    Hydra composes every config twice: first to look for `hydra.mode` in it, then to use it. The
    mode of gdexp follows from the command, and a composition takes a tenth of a second. Hydra has
    no public way to leave the first one out.
    """
    from hydra._internal.hydra import Hydra

    original = Hydra.get_mode

    def get_mode(self: Any, config_name: str | None, overrides: list[str]) -> None:  # noqa: ANN401
        del self, config_name, overrides  # None lets Hydra decide by `--multirun`

    Hydra.get_mode = get_mode  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = original  # type: ignore[method-assign]


OWN = "command-line"
"""Hydra's name of the folder that `--config-dir` gives."""


@dataclass(frozen=True)
class ConfigFile:
    """A config file that Hydra is about to read.

    Attributes:
        path: of the file.
        name: its path in its folder of configs, such as `problem/matrix.yaml`.
        own: whether that folder is the user's, from `--config-dir`.
        load: reads it; returns Hydra's `ConfigResult`.
    """

    path: Path
    name: str
    own: bool
    load: Callable[[], Any]


@contextmanager
def reading_config_files(read: Callable[[ConfigFile], Any]) -> Iterator[None]:
    """Search the folder of `--config-dir` first inside the block, and read files through `read`.

    Hydra has no public hook for either: its plugins change the search path before it adds
    `--config-dir`, behind the shipped folder.

    Args:
        read: returns what `ConfigFile.load` does, or raises an error of its own.
    """
    from hydra._internal.config_repository import ConfigRepository
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra.core.plugins import Plugins

    Plugins.instance()  # finds the class that reads files, by importing its module anew
    files: Any = SourcesRegistry.instance().resolve("file")
    initialize, load = ConfigRepository.initialize_sources, files.load_config

    def initialize_sources(self: Any, config_search_path: Any) -> None:  # noqa: ANN401
        initialize(self, config_search_path)
        self.sources.sort(key=lambda source: source.provider != OWN)

    def load_config(self: Any, config_path: str) -> Any:  # noqa: ANN401
        name = self._normalize_file_name(config_path)
        file = ConfigFile(
            Path(self.path, name), name, self.provider == OWN, lambda: load(self, config_path)
        )
        return read(file)

    ConfigRepository.initialize_sources = initialize_sources  # type: ignore[method-assign]
    files.load_config = load_config
    try:
        yield
    finally:
        ConfigRepository.initialize_sources = initialize  # type: ignore[method-assign]
        files.load_config = load
