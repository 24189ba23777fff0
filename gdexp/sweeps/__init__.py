"""The sweep: Optuna chooses trials, gdexp descends, MLflow records.

The names are loaded on first use: a worker process imports this package before it knows which
parts it needs.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeps.driver import FinishedSweep as FinishedSweep
    from gdexp.sweeps.driver import run_sweep as run_sweep
    from gdexp.sweeps.launchers import is_basic as is_basic
    from gdexp.sweeps.launchers import job_failure as job_failure
    from gdexp.sweeps.launchers import run_launched_worker as run_launched_worker
    from gdexp.sweeps.launchers import worker_launcher as worker_launcher
    from gdexp.sweeps.results import sweep_pictures as sweep_pictures
    from gdexp.sweeps.results import threshold_cells as threshold_cells
    from gdexp.sweeps.results import trial_cells as trial_cells
    from gdexp.sweeps.study import TrialRecord as TrialRecord
    from gdexp.sweeps.study import load_study as load_study
    from gdexp.sweeps.sweep_configs import SweepConfigs as SweepConfigs
    from gdexp.sweeps.worker import run_worker as run_worker

__all__ = [
    "FinishedSweep",
    "SweepConfigs",
    "TrialRecord",
    "is_basic",
    "job_failure",
    "load_study",
    "run_launched_worker",
    "run_sweep",
    "run_worker",
    "sweep_pictures",
    "threshold_cells",
    "trial_cells",
    "worker_launcher",
]

__getattr__ = lazy_names(
    __name__,
    {
        "FinishedSweep": "driver",
        "SweepConfigs": "sweep_configs",
        "TrialRecord": "study",
        "is_basic": "launchers",
        "job_failure": "launchers",
        "load_study": "study",
        "run_launched_worker": "launchers",
        "run_sweep": "driver",
        "run_worker": "worker",
        "sweep_pictures": "results",
        "threshold_cells": "results",
        "trial_cells": "results",
        "worker_launcher": "launchers",
    },
)
