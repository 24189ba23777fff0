"""The error of a Hydra job, without Hydra's own message."""

from __future__ import annotations

import io
from contextlib import redirect_stderr


def job_error(job: object) -> Exception | None:
    """Return the error that a job ended with; None when it ended well or is no job of Hydra's.

    Hydra raises the error when the job's value is read. It also prints all overrides then, with
    their secrets; that text is dropped.

    Args:
        job: as a launcher returned it.
    """
    from hydra.core.utils import JobReturn, JobStatus

    if not isinstance(job, JobReturn) or job.status is not JobStatus.FAILED:
        return None
    try:
        with redirect_stderr(io.StringIO()):
            job.return_value  # noqa: B018
    except Exception as error:
        return error
    return None
