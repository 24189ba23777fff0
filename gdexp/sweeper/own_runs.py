"""The MLflow runs that an application starts itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class OwnRun:
    """The run of one job.

    Attributes:
        run_id: of the run that the application started last; None where it started none.
    """

    run_id: str | None = None


@contextmanager
def noted_run(own: OwnRun) -> Iterator[None]:
    """Note the run that is started inside the block, and end it where it is left open.

    A run that stays open would be that of the next job, which could start none. MLflow is only
    looked at where the application imported it.
    """
    before = _last()
    failed = True
    try:
        yield
        failed = False
    finally:
        last = _last()
        if last is not None and last != before:
            own.run_id = last
        _end("FAILED" if failed else "FINISHED")


def _mlflow() -> Any:  # noqa: ANN401 (a module, if it is there)
    return sys.modules.get("mlflow")


def _last() -> str | None:
    mlflow = _mlflow()
    if mlflow is None or not hasattr(mlflow, "last_active_run"):
        return None
    try:
        run = mlflow.active_run() or mlflow.last_active_run()
    except Exception:  # its store may be gone: then there is no run to go on with
        return None
    return None if run is None else str(run.info.run_id)


def _end(status: str) -> None:
    mlflow = _mlflow()
    if mlflow is not None and hasattr(mlflow, "active_run"):
        while mlflow.active_run() is not None:
            mlflow.end_run(status)
