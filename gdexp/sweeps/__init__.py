"""The sweep: Optuna chooses trials, gdexp descends, MLflow records.

The names are loaded on first use: a worker process imports this package before it knows which
parts it needs.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeps.application import Application as Application
    from gdexp.sweeps.comparable_definition import comparable as comparable
    from gdexp.sweeps.driver import FinishedSweep as FinishedSweep
    from gdexp.sweeps.driver import finish_sweep as finish_sweep
    from gdexp.sweeps.driver import run_sweep as run_sweep
    from gdexp.sweeps.goal import check_goal as check_goal
    from gdexp.sweeps.goal import goal_definition as goal_definition
    from gdexp.sweeps.goal import objective_name as objective_name
    from gdexp.sweeps.launchers import ORDER_VARIABLE as ORDER_VARIABLE
    from gdexp.sweeps.launchers import LocalWorkers as LocalWorkers
    from gdexp.sweeps.launchers import WorkerCommand as WorkerCommand
    from gdexp.sweeps.launchers import WorkerLauncher as WorkerLauncher
    from gdexp.sweeps.launchers import Workers as Workers
    from gdexp.sweeps.launchers import in_launched_process as in_launched_process
    from gdexp.sweeps.launchers import is_basic as is_basic
    from gdexp.sweeps.launchers import job_failure as job_failure
    from gdexp.sweeps.launchers import job_runner as job_runner
    from gdexp.sweeps.launchers import run_launched_worker as run_launched_worker
    from gdexp.sweeps.launchers import threads_per_worker as threads_per_worker
    from gdexp.sweeps.launchers import worker_launcher as worker_launcher
    from gdexp.sweeps.objective import DIRECTIONS as DIRECTIONS
    from gdexp.sweeps.objective import MODES as MODES
    from gdexp.sweeps.objective import RETURNED as RETURNED
    from gdexp.sweeps.objective import Objective as Objective
    from gdexp.sweeps.own_application import OwnApplication as OwnApplication
    from gdexp.sweeps.plan import Plan as Plan
    from gdexp.sweeps.results import SweepResult as SweepResult
    from gdexp.sweeps.results import sweep_pictures as sweep_pictures
    from gdexp.sweeps.results import threshold_cells as threshold_cells
    from gdexp.sweeps.results import trial_cells as trial_cells
    from gdexp.sweeps.sampling import SAMPLER_OPTIONS as SAMPLER_OPTIONS
    from gdexp.sweeps.settings import SweepSettings as SweepSettings
    from gdexp.sweeps.settings import cores as cores
    from gdexp.sweeps.space import Dimension as Dimension
    from gdexp.sweeps.space import Space as Space
    from gdexp.sweeps.space import checked_bounds as checked_bounds
    from gdexp.sweeps.space import choice_dimension as choice_dimension
    from gdexp.sweeps.space import unquoted as unquoted
    from gdexp.sweeps.study import DoomedStudy as DoomedStudy
    from gdexp.sweeps.study import StartedBy as StartedBy
    from gdexp.sweeps.study import TrialRecord as TrialRecord
    from gdexp.sweeps.study import check_no_password as check_no_password
    from gdexp.sweeps.study import check_storage as check_storage
    from gdexp.sweeps.study import load_study as load_study
    from gdexp.sweeps.study import readable_study as readable_study
    from gdexp.sweeps.study_engine import StudyEngine as StudyEngine
    from gdexp.sweeps.sweep_configs import SweepConfigs as SweepConfigs
    from gdexp.sweeps.worker import run_planned_worker as run_planned_worker
    from gdexp.sweeps.worker import run_worker as run_worker

__all__ = [
    "DIRECTIONS",
    "MODES",
    "ORDER_VARIABLE",
    "RETURNED",
    "SAMPLER_OPTIONS",
    "Application",
    "Dimension",
    "DoomedStudy",
    "FinishedSweep",
    "LocalWorkers",
    "Objective",
    "OwnApplication",
    "Plan",
    "Space",
    "StartedBy",
    "StudyEngine",
    "SweepConfigs",
    "SweepResult",
    "SweepSettings",
    "TrialRecord",
    "WorkerCommand",
    "WorkerLauncher",
    "Workers",
    "check_goal",
    "check_no_password",
    "check_storage",
    "checked_bounds",
    "choice_dimension",
    "comparable",
    "cores",
    "finish_sweep",
    "goal_definition",
    "in_launched_process",
    "is_basic",
    "job_failure",
    "job_runner",
    "load_study",
    "objective_name",
    "readable_study",
    "run_launched_worker",
    "run_planned_worker",
    "run_sweep",
    "run_worker",
    "sweep_pictures",
    "threads_per_worker",
    "threshold_cells",
    "trial_cells",
    "unquoted",
    "worker_launcher",
]

__getattr__ = lazy_names(
    __name__,
    {
        "trial_cells": "results",
        "threshold_cells": "results",
        "sweep_pictures": "results",
        "run_worker": "worker",
        "finish_sweep": "driver",
        "FinishedSweep": "driver",
        "DIRECTIONS": "objective",
        "MODES": "objective",
        "ORDER_VARIABLE": "launchers",
        "RETURNED": "objective",
        "SAMPLER_OPTIONS": "sampling",
        "Application": "application",
        "Dimension": "space",
        "LocalWorkers": "launchers",
        "Objective": "objective",
        "OwnApplication": "own_application",
        "Plan": "plan",
        "Space": "space",
        "StartedBy": "study",
        "StudyEngine": "study_engine",
        "SweepConfigs": "sweep_configs",
        "SweepResult": "results",
        "SweepSettings": "settings",
        "DoomedStudy": "study",
        "TrialRecord": "study",
        "WorkerCommand": "launchers",
        "WorkerLauncher": "launchers",
        "Workers": "launchers",
        "check_goal": "goal",
        "check_no_password": "study",
        "check_storage": "study",
        "checked_bounds": "space",
        "choice_dimension": "space",
        "comparable": "comparable_definition",
        "cores": "settings",
        "goal_definition": "goal",
        "in_launched_process": "launchers",
        "is_basic": "launchers",
        "job_failure": "launchers",
        "job_runner": "launchers",
        "load_study": "study",
        "objective_name": "goal",
        "readable_study": "study",
        "run_launched_worker": "launchers",
        "run_planned_worker": "worker",
        "run_sweep": "driver",
        "threads_per_worker": "launchers",
        "unquoted": "space",
        "worker_launcher": "launchers",
    },
)
