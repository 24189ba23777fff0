"""The classes that Hydra makes. They say that they are in the plugin: Hydra takes no others."""

from __future__ import annotations

import copyreg
from abc import ABCMeta
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper

from gdexp.hydra_plugins._old_package import OLD_MODULE, PLUGIN, is_alone

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from gdexp.sweeper import HydraSweep, OwnSweep

__all__ = ["Alias", "GdexpSweeper", "OwnSweeper"]


class SweeperType(ABCMeta):
    """The type of the sweepers: they pickle as what stands in this file.

    A launcher pickles all plugins that Hydra knows for its jobs. A job that loads them has not
    looked for plugins, so the modules that the sweepers say they are in may be missing there.
    """


class GdexpSweeper(Sweeper, metaclass=SweeperType):
    """Sweeps the function of any Hydra application: `hydra/sweeper=gdexp`.

    Args:
        settings: the keys of `hydra.sweeper`.
    """

    __module__ = PLUGIN

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 (checked by gdexp.sweeper)
        self._settings = settings
        self._sweep: HydraSweep | OwnSweep | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over."""
        from gdexp.sweeper import HydraSweep

        self._sweep = HydraSweep(self._settings, hydra_context, task_function, config)

    def sweep(self, arguments: list[str]) -> None:
        """Run the whole sweep."""
        assert self._sweep is not None, "Hydra calls setup first"
        self._sweep.run(arguments)


class OwnSweeper(GdexpSweeper):
    """Sweeps gdexp's own experiments."""

    __module__ = PLUGIN

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over, and make the launcher."""
        from gdexp.sweeper import OwnSweep

        self._sweep = OwnSweep(hydra_context, task_function, config)


class OptunaSweeper(GdexpSweeper):
    """The same under the name that configs for hydra-optuna-sweeper may hold."""

    __module__ = OLD_MODULE


Alias = OptunaSweeper if is_alone() else GdexpSweeper
"""What Hydra may have beside the others: where hydra-optuna-sweeper is installed, no other."""

if is_alone():
    __all__ += ["OptunaSweeper"]


def _find(name: str) -> SweeperType:
    """Return the sweeper of this name."""
    sweeper: SweeperType = globals()[name]
    return sweeper


def _reduce(sweeper: SweeperType) -> tuple[Callable[[str], SweeperType], tuple[str]]:
    return _find, (sweeper.__name__,)


def make_picklable() -> None:
    """Let the sweepers be pickled; doing it twice changes nothing."""
    copyreg.pickle(SweeperType, _reduce)
