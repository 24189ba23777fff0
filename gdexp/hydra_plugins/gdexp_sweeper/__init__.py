"""The Hydra plugin. Hydra imports it at every start of any application, so it imports little.

An editable install holds a copy of this file beside the other plugins; all else is in `gdexp`.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper

from gdexp.hydra_plugins._config_nodes import store_nodes

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from gdexp.sweeper import HydraSweep, OwnSweep

OLD = "hydra_plugins.hydra_optuna_sweeper"
IS_ALONE = find_spec(OLD) is None


class GdexpSweeper(Sweeper):
    """Sweeps the function of any Hydra application: `hydra/sweeper=gdexp`.

    Args:
        settings: the keys of `hydra.sweeper`.
    """

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

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over, and make the launcher."""
        from gdexp.sweeper import OwnSweep

        self._sweep = OwnSweep(hydra_context, task_function, config)


if IS_ALONE:

    class OptunaSweeper(GdexpSweeper):
        """The same under the name that configs for hydra-optuna-sweeper may hold."""

        __module__ = f"{OLD}.optuna_sweeper"


store_nodes(aliases=IS_ALONE)
