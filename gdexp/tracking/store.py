"""Runs written to MLflow and read back through its public client.

Order of writes: the run is created (RUNNING), then artifacts with their manifest, then
metrics, params and tags, and FINISHED last. So a FINISHED run is a whole one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gdexp.errors import StorageFailed
from gdexp.tracking import views
from gdexp.tracking.database import analyze, ensure_database, is_analyzed
from gdexp.tracking.location import TrackingSettings
from gdexp.tracking.record import Opening, Record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Array = npt.NDArray[Any]

BATCH = 1000
"""Most metrics that MLflow takes in one call."""


@dataclass
class Pending:
    """A run that was decided on and is not written yet.

    Attributes:
        run_id: it will have, or has.
        opening: what it is created with.
        started: milliseconds since 1970.
        shown: it is in the store, RUNNING.
    """

    run_id: str
    opening: Opening
    started: int
    shown: bool = False


class Store:
    """An MLflow experiment that runs are written to.

    Args:
        settings: where; checked and, for SQLite, created safely when it is not there yet.

    Raises:
        BadInput: the place is something else than an MLflow store.
        StorageFailed: it cannot be written to or does not answer.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self.settings = settings
        settings.preflight()
        _prepare_mlflow()
        from mlflow import MlflowClient

        self.database = settings.database
        with self._reported():
            if self.database is not None:
                ensure_database(self.database)
            self.client: MlflowClient = MlflowClient(tracking_uri=settings.resolved)
            self.experiment_id = self._experiment(settings.experiment)

    def start(self, opening: Opening) -> str:
        """Create a run, RUNNING from now on; returns its id."""
        with self._reported():
            run = self.client.create_run(
                self.experiment_id,
                start_time=int(time.time() * 1000),
                tags=opening.all_tags(),
                run_name=opening.name,
            )
        return str(run.info.run_id)

    def prepare(self, opening: Opening) -> Pending:
        """Reserve a run."""
        started = int(time.time() * 1000)
        return Pending(self.start(opening), opening, started, shown=True)

    def show(self, pending: Pending) -> None:
        """Let a reserved run be seen as RUNNING; again is harmless."""

    def write(self, runs: Sequence[tuple[Pending, Record]]) -> None:
        """Write everything of several runs, and FINISHED last."""
        for pending, record in runs:
            self.finish(pending.run_id, record)

    def finish(self, run_id: str, record: Record, status: str = "FINISHED") -> None:
        """Write everything of a run and set its status, last."""
        with self._reported():
            self.log_files(run_id, record.sealed() if record.artifacts else {})
            self.log_values(run_id, record)
            self.end(run_id, status)
            if self.database is not None and not is_analyzed(self.database):
                analyze(self.database)

    def log_files(self, run_id: str, artifacts: dict[str, bytes]) -> None:
        """Write artifacts by name."""
        with self._reported(), tempfile.TemporaryDirectory() as folder:
            for name, content in artifacts.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if artifacts:
                self.client.log_artifacts(run_id, folder)

    def log_values(self, run_id: str, record: Record) -> None:
        """Write the trace as metric `loss`, the single metrics, params and tags.

        All points carry the run's start time: MLflow keeps a repeated step twice when its
        time differs, so a fixed one makes writing again harmless.
        """
        from mlflow.entities import Metric, Param, RunTag

        with self._reported():
            now = int(self.client.get_run(run_id).info.start_time)
            for begin in range(0, len(record.trace), BATCH):
                values = record.trace[begin : begin + BATCH].tolist()
                points = [Metric("loss", v, now, begin + i) for i, v in enumerate(values)]
                self.client.log_batch(run_id, metrics=points, synchronous=True)
            params = [Param(key, value) for key, value in record.params.items()]
            for begin in range(0, len(params), 100):
                self.client.log_batch(run_id, params=params[begin : begin + 100])
            self.client.log_batch(
                run_id,
                metrics=[Metric(key, value, now, 0) for key, value in record.metrics.items()],
                tags=[RunTag(key, value) for key, value in record.tags.items()],
            )

    def end(self, run_id: str, status: str) -> None:
        """Set a run's last status: FINISHED, FAILED or KILLED."""
        with self._reported():
            self.client.set_terminated(run_id, status)

    def abandon(self, run: str | Pending, status: str) -> None:
        """Set the status of a run that did not get to its end, unless it did after all.

        Called while another error is on its way, so a store that is gone stays silent.
        """
        from mlflow.exceptions import MlflowException

        run_id = run.run_id if isinstance(run, Pending) else run
        try:
            if self.client.get_run(run_id).info.status == "RUNNING":
                self.client.set_terminated(run_id, status)
        except (MlflowException, OSError):
            logging.getLogger(__name__).debug("run %s was left as it is", run_id)

    def arrays(self, run_id: str) -> dict[str, Array]:
        """The arrays of a run's record, read back: initial, final and trace."""
        found = {}
        with self._reported(), tempfile.TemporaryDirectory() as folder:
            for name in ("initial", "final", "trace"):
                path = self.client.download_artifacts(run_id, f"{name}.npy", folder)
                found[name] = np.load(path, allow_pickle=False)
        return found

    def save_view(
        self,
        parent: str,
        swept: Sequence[str],
        name: str,
        log: Collection[str] = (),
        losses: tuple[float, float] | None = None,
    ) -> None:
        """Keep the chart view of a sweep's children with the experiment; again replaces it.

        The arguments are those of `views.view_state`.
        """
        with self._reported():
            created = int(self.client.get_run(parent).info.start_time)
            state = views.view_state(parent, swept, name, created, log, losses)
            self.client.set_experiment_tag(self.experiment_id, views.view_tag(parent), state)

    def save_runs_view(self) -> None:
        """Keep the chart view of the experiment's single runs, once."""
        with self._reported():
            known = self.client.get_experiment(self.experiment_id)
            state = views.runs_view_state("single runs", int(known.creation_time or 0))
            if known.tags.get(views.runs_view_tag()) != state:
                self.client.set_experiment_tag(self.experiment_id, views.runs_view_tag(), state)

    def children_link(self, parent: str) -> str:
        """The address, after `#`, of that view."""
        return views.children_link(self.experiment_id, parent)

    def run_link(self, run_id: str) -> str:
        """The address, after `#`, of a run's page."""
        return views.run_link(self.experiment_id, run_id)

    def loss_link(self, run_id: str) -> str:
        """The address, after `#`, of a run's losses on a log axis."""
        return views.loss_link(self.experiment_id, run_id)

    def runs_link(self) -> str:
        """The address, after `#`, of the charts of the single runs."""
        return views.runs_link(self.experiment_id)

    def server(self) -> str:
        """Where a person finds the UI once `look_command` runs there."""
        if self.database is None:
            return self.settings.shown.rstrip("/")
        return "http://127.0.0.1:5000"

    def look_command(self) -> str:
        """What a person types to see the runs."""
        if self.settings.uri is None:
            return "mlflow ui    in this directory, then open"
        if self.database is None:
            return "in the UI of the server, open"
        return f"mlflow ui --backend-store-uri sqlite:///{self.settings.shown}    then open"

    def has(self, run_id: str) -> bool:
        """Whether there is such a run, and in this experiment."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.client.get_run(run_id).info.experiment_id == self.experiment_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def reopen(self, run_id: str) -> None:
        """Set an ended run to RUNNING again.

        Raises:
            StorageFailed: there is no such run.
        """
        with self._reported():
            self.client.update_run(run_id, status="RUNNING")

    def children(self, parent: str, running: bool = False) -> list[Run]:
        """The child runs of a sweep, oldest first: all, or those left RUNNING."""
        condition = f"tags.`mlflow.parentRunId` = '{parent}'"
        if running:
            condition += " AND attributes.status = 'RUNNING'"
        found: list[Run] = []
        token = None
        while True:
            with self._reported():
                page = self.client.search_runs(
                    [self.experiment_id],
                    filter_string=condition,
                    order_by=["attributes.start_time ASC"],
                    max_results=1000,
                    page_token=token,
                )
            found += page
            token = page.token
            if not token:
                return found

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is None:
            try:
                location = self.settings.artifacts(name)
                return str(self.client.create_experiment(name, artifact_location=location))
            except MlflowException:
                found = self.client.get_experiment_by_name(name)  # another process was first
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise StorageFailed(
                f"tracking.experiment={name}: was deleted in MLflow; restore it or name another"
            )
        return str(found.experiment_id)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn MLflow's and the disk's errors into one line that names the place."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
            raise StorageFailed(f"tracking.uri={self.settings.shown}: {reason}") from error


def _prepare_mlflow() -> None:
    """Import MLflow with what must stand before that: no telemetry, few retries, no bars."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    warnings.filterwarnings("ignore", module=r"mlflow\.")
    import mlflow  # noqa: F401  (sets its own log level when imported)

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
