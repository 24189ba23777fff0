"""Hydra's configs composed from Python, with the errors of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gdexp import config, hydra_plugins
from gdexp.config import env_secrets, rewrite
from gdexp.core import BadInput, GdexpError
from gdexp.display import terminal

if TYPE_CHECKING:
    from omegaconf import DictConfig


class Composer:
    """Composes configs from overrides, each list of them once: it takes a tenth of a second."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], DictConfig] = {}

    def composed(self, overrides: Sequence[str]) -> DictConfig:
        """Return the config of overrides without ranges.

        Raises:
            BadInput: an override that cannot be used.
        """
        key = tuple(overrides)
        if key not in self._known:
            self._known[key] = _compose(list(key))
        return self._known[key]

    def plain(self, overrides: Sequence[str]) -> config.Config:
        """Return the checked config of overrides without ranges, as plain containers."""
        made = config.plain(self.composed(overrides))
        config.check_keys(made)
        return made


def as_arguments(overrides: Sequence[str]) -> list[str]:
    """Return overrides as Hydra takes them.

    Raises:
        BadInput: an option, a setting of Hydra, or what the command line refuses too.
    """
    for each in overrides:
        if not isinstance(each, str) or each.startswith("-"):
            raise BadInput("overrides", each, "must be KEY=VALUE; options are for the command line")
        if each.lstrip("+~").startswith(("hydra.", "hydra/")):
            raise BadInput("overrides", each, "a launcher is chosen on the command line")
    return [each for each in rewrite(overrides) if not each.startswith("-")]


def _compose(overrides: list[str]) -> DictConfig:
    from hydra import compose, initialize_config_dir

    hydra_plugins.register()
    with _beside_applications():
        try:
            with (
                env_secrets.environment_learned(),
                config.checked_config_files(terminal.print_warning),
                initialize_config_dir(str(config.shipped()), job_name="gdexp", version_base="1.3"),
            ):
                return compose("config", overrides)
        except GdexpError:
            raise
        except Exception as error:
            raise config.as_gdexp_error(error, overrides, composing=True) from None


@contextmanager
def _beside_applications() -> Iterator[None]:
    """Leave the Hydra application that calls gdexp as it is: Hydra keeps one at a time."""
    from hydra.core.global_hydra import GlobalHydra

    running = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running
