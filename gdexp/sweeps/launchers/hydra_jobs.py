"""The error that a Hydra job ended with."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn


def job_failure(job: JobReturn) -> Exception | None:
    """Return the error of a Hydra job; None where it did not fail."""
    # Reading `return_value` prints the job's overrides on stderr, which may hold secrets.
    with redirect_stderr(io.StringIO()):
        try:
            job.return_value  # noqa: B018 (a property that raises the error)
        except Exception as error:
            return error
    return None
