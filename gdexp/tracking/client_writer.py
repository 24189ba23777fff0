"""Writing runs through MLflow's public client: slow, but into every store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdexp.tracking.artifact_address import absolute_address, local_folder
from gdexp.tracking.artifacts import upload, write_files
from gdexp.tracking.downsampling import kept_iterations, kept_points
from gdexp.tracking.live_curves import Points
from gdexp.tracking.record import PlannedRun, Record, RunHeader

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCH = 1000
"""Most metrics that MLflow takes in one call."""


class ClientWriter:
    """Writes runs by `MlflowClient`.

    Args:
        client: of the store.
        experiment_id: of the experiment that the runs belong to.
        points: how many points of a trace the metric history keeps; None keeps all.
        folder: where relative addresses of artifacts begin; None where there are none.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment_id: str,
        points: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._points = points
        self._folder = folder

    def prepare(self, header: RunHeader, started: int | None = None) -> PlannedRun:
        """Create a run at once: only the store can give it an id."""
        made = self._client.create_run(
            self._experiment_id,
            start_time=started or int(time.time() * 1000),
            tags=header.all_tags(),
            run_name=header.name,
        )
        return PlannedRun(str(made.info.run_id), header, int(made.info.start_time), shown=True)

    def show(self, run: PlannedRun, status: str = "RUNNING") -> None:
        """Set a status other than RUNNING; `prepare` has written the run already."""
        if status != "RUNNING":
            self._client.set_terminated(run.run_id, status)

    def write(
        self, runs: Sequence[tuple[PlannedRun, Record]], status: str | None = "FINISHED"
    ) -> None:
        """Write runs one after the other; the status of each comes last."""
        for run, record in runs:
            if record.artifacts:
                self.log_files(run.run_id, record.sealed())
            self.log_values(run.run_id, run.started, record)
            if status is not None:
                self._client.set_terminated(run.run_id, status)

    def log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Write artifacts by name."""
        if self._folder is not None:
            address = str(self._client.get_run(run_id).info.artifact_uri)
            place = local_folder(absolute_address(address, self._folder))
            if place is not None:
                write_files(place, artifacts)
                return
        upload(lambda folder: self._client.log_artifacts(run_id, folder), artifacts)

    def log_points(self, run_id: str, started: int, points: Points) -> None:
        """Write points of metrics, in calls as large as MLflow takes."""
        from mlflow.entities import Metric

        found = [
            Metric(name, value, started, int(step))
            for name, rows in points.items()
            for step, value in rows.tolist()
        ]
        for begin in range(0, len(found), BATCH):
            part = found[begin : begin + BATCH]
            self._client.log_batch(run_id, metrics=part, synchronous=True)

    def log_values(self, run_id: str, started: int, record: Record) -> None:
        """Write trace, metrics, params and tags, in calls as large as MLflow takes."""
        from mlflow.entities import Metric, Param, RunTag

        steps = kept_iterations(record.trace, self._points, record.levels)
        losses = np.column_stack([steps.astype(np.float64), record.trace[steps]])
        curves = {n: kept_points(each, self._points) for n, each in record.curves.items()}
        self.log_points(run_id, started, {"loss": losses, **curves})
        params = [Param(key, value) for key, value in record.params.items()]
        for begin in range(0, len(params), 100):
            self._client.log_batch(run_id, params=params[begin : begin + 100], synchronous=True)
        self._client.log_batch(
            run_id,
            metrics=[Metric(key, value, started, 0) for key, value in record.metrics.items()],
            tags=[RunTag(key, value) for key, value in record.tags.items()],
            synchronous=True,
        )
