"""The sweep: Optuna chooses trials, gdexp descends, MLflow records.

The names are loaded on first use: a worker process imports this package before it knows which
parts it needs.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeps.driver import run_sweep as run_sweep
    from gdexp.sweeps.launchers import is_basic as is_basic
    from gdexp.sweeps.launchers import job_failure as job_failure
    from gdexp.sweeps.launchers import run_launched_worker as run_launched_worker
    from gdexp.sweeps.launchers import worker_launcher as worker_launcher
    from gdexp.sweeps.study.readable_study import readable_study as readable_study
    from gdexp.sweeps.sweep_configs import SweepConfigs as SweepConfigs

__all__ = [
    "SweepConfigs",
    "is_basic",
    "job_failure",
    "readable_study",
    "run_launched_worker",
    "run_sweep",
    "worker_launcher",
]

__getattr__ = lazy_names(
    __name__,
    {
        "SweepConfigs": "sweep_configs",
        "is_basic": "launchers",
        "readable_study": "study.readable_study",
        "run_sweep": "driver",
        "job_failure": "launchers",
        "run_launched_worker": "launchers",
        "worker_launcher": "launchers",
    },
)
