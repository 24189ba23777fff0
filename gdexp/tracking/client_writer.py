"""Writing runs through MLflow's public client: to any store, slowly."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.tracking.artifacts import write_files
from gdexp.tracking.downsampling import kept_iterations
from gdexp.tracking.record import PlannedRun, Record, RunHeader

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCH = 1000
"""Most metrics that MLflow takes in one call."""


class ClientWriter:
    """Runs written by `MlflowClient`.

    Args:
        client: of the store.
        experiment_id: that the runs go to.
        points: to keep of a trace in the metric history; None keeps all.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, points: int | None = None) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._points = points

    def prepare(self, header: RunHeader, started: int | None = None) -> PlannedRun:
        """Create a run: only the store can give it an id."""
        run = self._client.create_run(
            self._experiment_id,
            start_time=started or int(time.time() * 1000),
            tags=header.all_tags(),
            run_name=header.name,
        )
        return PlannedRun(str(run.info.run_id), header, int(run.info.start_time), shown=True)

    def show(self, pending: PlannedRun, status: str = "RUNNING") -> None:
        """Nothing to do, or to set another status than RUNNING."""
        if status != "RUNNING":
            self._client.set_terminated(pending.run_id, status)

    def write(
        self, runs: Sequence[tuple[PlannedRun, Record]], status: str | None = "FINISHED"
    ) -> None:
        """Write runs one after the other, the status of each last."""
        for pending, record in runs:
            if record.artifacts:
                self.log_files(pending.run_id, record.sealed())
            self.log_values(pending.run_id, pending.started, record)
            if status is not None:
                self._client.set_terminated(pending.run_id, status)

    def log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Write artifacts by name."""
        upload(lambda folder: self._client.log_artifacts(run_id, folder), artifacts)

    def log_values(self, run_id: str, started: int, record: Record) -> None:
        """Write trace, metrics, params and tags, in calls as large as MLflow takes."""
        from mlflow.entities import Metric, Param, RunTag

        steps = kept_iterations(record.trace, self._points, record.levels)
        for begin in range(0, len(steps), BATCH):
            part = steps[begin : begin + BATCH]
            pairs = zip(part.tolist(), record.trace[part].tolist(), strict=True)
            points = [Metric("loss", value, started, step) for step, value in pairs]
            self._client.log_batch(run_id, metrics=points, synchronous=True)
        params = [Param(key, value) for key, value in record.params.items()]
        for begin in range(0, len(params), 100):
            self._client.log_batch(run_id, params=params[begin : begin + 100], synchronous=True)
        self._client.log_batch(
            run_id,
            metrics=[Metric(key, value, started, 0) for key, value in record.metrics.items()],
            tags=[RunTag(key, value) for key, value in record.tags.items()],
            synchronous=True,
        )


def upload(log_artifacts: Callable[[str], object], artifacts: Mapping[str, bytes]) -> None:
    """Hand artifacts over to MLflow, which takes them from a folder."""
    if not artifacts:
        return
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), artifacts)
        log_artifacts(folder)
