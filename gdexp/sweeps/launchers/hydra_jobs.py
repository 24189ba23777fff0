"""The jobs of a Hydra launcher, and the error that one ended with."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.plugins.launcher import Launcher


def job_runner(launcher: Launcher) -> Callable[[list[list[str]]], None]:
    """Return what runs a job for each list of overrides, and raises the first error of one.

    Args:
        launcher: of Hydra, which has the jobs' function.
    """

    def launch(overrides: list[list[str]]) -> None:
        for job in launcher.launch(overrides, initial_job_idx=0):
            if (failure := job_failure(job)) is not None:
                raise failure

    return launch


def job_failure(job: JobReturn) -> Exception | None:
    """Return the error that a Hydra job raised or returned; None where it did not fail."""
    # Reading `return_value` prints the job's overrides on stderr, which may hold secrets.
    with redirect_stderr(io.StringIO()):
        try:
            returned = job.return_value  # raises the error of a job that failed
        except Exception as error:
            return error
    return returned if isinstance(returned, Exception) else None
