"""The error that a Hydra job ended with."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn


def job_failure(job: JobReturn) -> Exception | None:
    """Return the error that a Hydra job raised or returned; None where it did not fail."""
    # Reading `return_value` prints the job's overrides on stderr, which may hold secrets.
    with redirect_stderr(io.StringIO()):
        try:
            returned = job.return_value  # raises the error of a job that failed
        except Exception as error:
            return error
    return returned if isinstance(returned, Exception) else None
