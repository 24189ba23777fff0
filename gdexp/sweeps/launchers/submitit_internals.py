"""The parts of submitit that are not in its documentation. No other module uses such parts."""

from __future__ import annotations

from typing import Any

from submitit import Job
from submitit.core.core import InfoWatcher
from submitit.core.utils import JobPaths, UncompletedJobError

__all__ = [
    "PARTS",
    "InfoWatcher",
    "UncompletedJobError",
    "has_result",
    "make_private",
    "watch_with",
]

PARTS = (
    "submitit.core.core:InfoWatcher.get_state",
    "submitit.core.core:InfoWatcher.is_done",
    "submitit.core.core:Job.paths",
    "submitit.core.core:Job.watcher",
    "submitit.core.utils:JobPaths.get_first_id_independent_folder",
    "submitit.core.utils:JobPaths.result_pickle",
    "submitit.core.utils:UncompletedJobError",
)


def watch_with(job: Job[Any], watcher: InfoWatcher) -> None:
    """Let a job read its state from this watcher; submitit's own asks `sacct`."""
    job.watcher = watcher


def has_result(job: Job[Any]) -> bool:
    """Return whether a job has written its result."""
    return job.paths.result_pickle.exists()


def make_private(folder: str) -> None:
    """Create the folder of jobs so that only its owner can read it: it holds configs and logs."""
    JobPaths.get_first_id_independent_folder(folder).mkdir(0o700, parents=True, exist_ok=True)
