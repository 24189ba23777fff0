"""The Hydra plugin. Hydra imports it at every start of any application, so it imports little.

An editable install holds a copy of this file beside the other plugins; all else is in `gdexp`.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper

from gdexp.hydra_plugins._config_nodes import store_nodes

if TYPE_CHECKING:
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from gdexp.sweeper import HydraSweep, OwnSweep

OLD = "hydra_plugins.hydra_optuna_sweeper"
"""The package of hydra-optuna-sweeper."""

OURS = "gdexp"
"""The origin of what stands in for it."""


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


class OptunaSweeper(GdexpSweeper):
    """The same under the name that configs for hydra-optuna-sweeper may hold."""

    __module__ = f"{OLD}.optuna_sweeper"


def _is_alone() -> bool:
    """Return whether hydra-optuna-sweeper is not installed: what is under its name is ours."""
    found = find_spec(OLD)
    return found is None or found.origin == OURS


def _stand_in() -> None:
    """Let the old name be found: Hydra imports what `hydra.sweeper._target_` names."""
    for name in (OLD, OptunaSweeper.__module__):
        spec = ModuleSpec(name, None, origin=OURS, is_package=name == OLD)
        sys.modules[name] = module_from_spec(spec)
        parent, _, last = name.rpartition(".")
        setattr(sys.modules[parent], last, sys.modules[name])
    sys.modules[OptunaSweeper.__module__].OptunaSweeper = OptunaSweeper  # type: ignore[attr-defined]


if _is_alone():
    _stand_in()
else:
    del OptunaSweeper
store_nodes(aliases=_is_alone())
