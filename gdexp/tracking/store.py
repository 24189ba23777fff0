"""Runs written to MLflow, and read back through its public client.

Order of writes: artifacts with their manifest, then metrics, params and tags, and FINISHED last or
in one transaction with them. So a FINISHED run is a whole one.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.core import StorageFailed, failure_reason, signals
from gdexp.tracking.arrays import Array, decode_array
from gdexp.tracking.client_writer import ByClient
from gdexp.tracking.mlflow_ui import chart_views
from gdexp.tracking.parquet_folder import ShardFolder
from gdexp.tracking.record import Opening, Pending, Record
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.sql_writer import ByTables
from gdexp.tracking.sqlite import analyze, ensure_database, is_analyzed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


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
        prepare_mlflow()
        from mlflow import MlflowClient

        self.database = settings.database
        with self._reported():
            if self.database is not None:
                ensure_database(self.database)
            self.client: MlflowClient = MlflowClient(tracking_uri=settings.resolved)
            self.experiment_id = self._experiment(settings.experiment)
            self._way = self._fastest()
        self._started: dict[str, int] = {}
        self._analyzed = False

    def start(self, opening: Opening) -> str:
        """Create a run, RUNNING from now on; returns its id."""
        pending = self.prepare(opening)
        self.show(pending)
        self._started[pending.run_id] = pending.started
        return pending.run_id

    def prepare(self, opening: Opening, started: int | None = None) -> Pending:
        """Decide on a run; where the store lets us choose its id, nothing is written yet.

        Args:
            opening: what it begins with.
            started: milliseconds since 1970; None: now.
        """
        with self._reported():
            return self._way.prepare(opening, started)

    def show(self, pending: Pending) -> None:
        """Let a run be seen as RUNNING; again is harmless."""
        if not pending.shown:
            with self._reported():
                self._way.show(pending)

    def write(self, runs: Sequence[tuple[Pending, Record]], status: str = "FINISHED") -> None:
        """Write everything of several runs and set their status, last."""
        if not runs:
            return
        with self._reported():
            self._way.write(runs, status)
            if not self._analyzed and self.database is not None:
                if not is_analyzed(self.database):
                    analyze(self.database)
                self._analyzed = True

    def finish(self, run_id: str, record: Record, status: str = "FINISHED") -> None:
        """Write everything of a run that was started and set its status, last."""
        self.write([(self._known(run_id), record)], status)

    def log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Write artifacts by name."""
        with self._reported():
            self._way.log_files(run_id, artifacts)

    def log_values(self, run_id: str, record: Record) -> None:
        """Write the trace as metric `loss`, the single metrics, params and tags.

        All points carry the run's start time: MLflow keeps a repeated step twice when its
        time differs, so a fixed one makes writing again harmless.
        """
        pending = self._known(run_id)
        with self._reported():
            self._way.log_values(run_id, pending.started, record)

    def end(self, run_id: str, status: str) -> None:
        """Set a run's last status: FINISHED, FAILED or KILLED."""
        with self._reported():
            self.client.set_terminated(run_id, status)

    def abandon(self, run: str | Pending, status: str) -> str | None:
        """Set the status of a run that did not get to its end, unless it did after all.

        One that nobody has seen yet appears only when it failed. Called while another error is on
        its way, so a store that is gone stays silent.

        Returns:
            The status that the run has now; None where there is no run, or no store.
        """
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        run_id = run.run_id if isinstance(run, Pending) else run
        try:
            if isinstance(run, Pending) and not run.shown:
                if status == "FAILED":
                    self._way.show(run, status)
                    return status
                return None
            known = str(self.client.get_run(run_id).info.status)
            if known != "RUNNING":
                return known
            self.client.set_terminated(run_id, status)
        except (MlflowException, SQLAlchemyError, OSError):
            logging.getLogger(__name__).debug("run %s was left as it is", run_id)
            return None
        return status

    def arrays(self, run_id: str) -> dict[str, Array]:
        """The arrays of a run's record, read back: initial, final and trace."""
        found = {}
        with self._reported(), tempfile.TemporaryDirectory() as folder:
            for name in ("initial", "final", "trace"):
                path = self.client.download_artifacts(run_id, f"{name}.npy", folder)
                found[name] = decode_array(Path(path).read_bytes())
        return found

    def shards(self, parent: str) -> ShardFolder:
        """The shards of a sweep."""
        with self._reported():
            home = str(self.client.get_run(parent).info.artifact_uri)
        return ShardFolder(self.client, parent, home, self._reported)

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
            state = chart_views.view_state(parent, swept, name, created, log, losses)
            self.client.set_experiment_tag(self.experiment_id, chart_views.view_tag(parent), state)

    def save_runs_view(self) -> None:
        """Keep the chart view of the experiment's single runs, once."""
        with self._reported():
            known = self.client.get_experiment(self.experiment_id)
            state = chart_views.runs_view_state("single runs", int(known.creation_time or 0))
            if known.tags.get(chart_views.runs_view_tag()) != state:
                self.client.set_experiment_tag(
                    self.experiment_id, chart_views.runs_view_tag(), state
                )

    def children_link(self, parent: str) -> str:
        """The address, after `#`, of that view."""
        return chart_views.children_link(self.experiment_id, parent)

    def run_link(self, run_id: str) -> str:
        """The address, after `#`, of a run's page."""
        return chart_views.run_link(self.experiment_id, run_id)

    def loss_link(self, run_id: str) -> str:
        """The address, after `#`, of a run's losses on a log axis."""
        return chart_views.loss_link(self.experiment_id, run_id)

    def runs_link(self) -> str:
        """The address, after `#`, of the charts of the single runs."""
        return chart_views.runs_link(self.experiment_id)

    def server(self) -> str:
        """Where a person finds the UI once `look_command` runs there."""
        if self.settings.is_server:
            return self.settings.shown.rstrip("/")
        return "http://127.0.0.1:5000"

    def look_command(self) -> str:
        """What a person types to see the runs."""
        if self.settings.uri is None:
            return "mlflow ui    in this directory, then open"
        if self.settings.is_server:
            return "in the UI of the server, open"
        if self.database is None:
            return "scripts/ui tracking.uri=…    with the same address, then open"
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

    def _fastest(self) -> ByTables | ByClient:
        """Straight into the tables where their schema is known, else through the client."""
        points = self.settings.most_points
        by_client = ByClient(self.client, self.experiment_id, points)
        if self.settings.is_server:
            return by_client
        return ByTables.of(self.client, self.experiment_id, points) or by_client

    def _known(self, run_id: str) -> Pending:
        """A run that is in the store already."""
        started = self._started.get(run_id)
        if started is None:
            with self._reported():
                started = int(self.client.get_run(run_id).info.start_time)
            self._started[run_id] = started
        return Pending(run_id, Opening("", ""), started, shown=True)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Keep signals back, and turn what MLflow, SQL and the disk say into one line."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with signals.shielded():
                yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StorageFailed(
                f"tracking.uri={self.settings.shown}: {failure_reason(error)}"
            ) from error


def prepare_mlflow() -> None:
    """Import MLflow with what must stand before that: no telemetry, few retries, no bars."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # seconds, each time; else 120
    os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    warnings.filterwarnings("ignore", module=r"mlflow\.")
    import mlflow  # noqa: F401  (sets its own log level when imported)

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
