"""The launchers of workers: as processes of this machine, as SLURM jobs, or as tasks of Ray.

The names are imported at first use: `python -m gdexp.sweeps.launchers.worker_process` imports this
package before anything else.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeps.launchers.base import WorkerLauncher as WorkerLauncher
    from gdexp.sweeps.launchers.base import Workers as Workers
    from gdexp.sweeps.launchers.choice import is_basic as is_basic
    from gdexp.sweeps.launchers.choice import worker_launcher as worker_launcher
    from gdexp.sweeps.launchers.hydra_jobs import job_failure as job_failure
    from gdexp.sweeps.launchers.hydra_jobs import job_runner as job_runner
    from gdexp.sweeps.launchers.local_workers import ORDER_VARIABLE as ORDER_VARIABLE
    from gdexp.sweeps.launchers.local_workers import LocalWorkers as LocalWorkers
    from gdexp.sweeps.launchers.local_workers import WorkerCommand as WorkerCommand
    from gdexp.sweeps.launchers.local_workers import threads_per_worker as threads_per_worker
    from gdexp.sweeps.launchers.local_workers import worker_command as worker_command
    from gdexp.sweeps.launchers.worker_job import in_launched_process as in_launched_process
    from gdexp.sweeps.launchers.worker_job import run_launched_worker as run_launched_worker

__all__ = [
    "ORDER_VARIABLE",
    "LocalWorkers",
    "WorkerCommand",
    "WorkerLauncher",
    "Workers",
    "in_launched_process",
    "is_basic",
    "job_failure",
    "job_runner",
    "run_launched_worker",
    "threads_per_worker",
    "worker_command",
    "worker_launcher",
]

__getattr__ = lazy_names(
    __name__,
    {
        "LocalWorkers": "local_workers",
        "ORDER_VARIABLE": "local_workers",
        "WorkerCommand": "local_workers",
        "WorkerLauncher": "base",
        "Workers": "base",
        "in_launched_process": "worker_job",
        "is_basic": "choice",
        "job_failure": "hydra_jobs",
        "job_runner": "hydra_jobs",
        "run_launched_worker": "worker_job",
        "threads_per_worker": "local_workers",
        "worker_command": "local_workers",
        "worker_launcher": "choice",
    },
)
