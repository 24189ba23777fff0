"""The sweep: Optuna chooses, gdexp descends, MLflow records, all traces answer together.

The names are loaded when first used: a worker's process imports this package before it has
decided what it needs.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeps.driver import run_sweep as run_sweep
    from gdexp.sweeps.launchers import launcher_of as launcher_of
    from gdexp.sweeps.launchers import work_launched as work_launched

__all__ = ["launcher_of", "run_sweep", "work_launched"]

__getattr__ = lazy_names(
    __name__, {"run_sweep": "driver", "launcher_of": "launchers", "work_launched": "launchers"}
)
