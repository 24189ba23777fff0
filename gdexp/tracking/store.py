"""Writing runs to MLflow, and reading them back through its public client.

Order of writes: artifacts with their manifest, then metrics, params and tags. FINISHED comes last,
or in one transaction with them. So a FINISHED run is complete.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.core import StorageChanged, StorageFailed, failure_reason, signals
from gdexp.engine import StoredPlan
from gdexp.experiment import SOURCE_TEXTS, StoredFiles
from gdexp.tracking.address_conversion import convert_addresses
from gdexp.tracking.arrays import stored_files
from gdexp.tracking.artifact_address import absolute_address, local_folder
from gdexp.tracking.database_connection import collect_statistics, has_statistics
from gdexp.tracking.database_creation import ensure_database
from gdexp.tracking.lifecycle import missing_reason
from gdexp.tracking.live_curves import Points
from gdexp.tracking.mlflow_process import prepare_mlflow_process
from gdexp.tracking.mlflow_ui import chart_views
from gdexp.tracking.programs import SharedPrograms, program_name, write_program
from gdexp.tracking.record import FURTHER_KINDS, MANIFEST, PlannedRun, Record, RunHeader
from gdexp.tracking.settings import TrackingSettings
from gdexp.tracking.shard_folder import ShardFolder
from gdexp.tracking.storage_errors import storage_errors
from gdexp.tracking.store_access import StoreAccess
from gdexp.tracking.store_files import StoreFiles
from gdexp.tracking.store_links import StoreLinks
from gdexp.tracking.stored_run import RunContents, StoredExperiment, StoredRun
from gdexp.tracking.write_ahead_log import begin_log

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Store(StoreLinks):
    """An MLflow experiment that runs are written to.

    Args:
        settings: where the store is. It is checked; a missing SQLite database is created.

    Attributes:
        settings: as given.
        database: the SQLite file; None for servers.
        experiment_id: of the experiment.
        warning: why runs are written slowly into this database; None where they are not.
        files: of the store on this machine; every use of the store checks them.

    Raises:
        BadInput: the address names something else than an MLflow store.
        StorageFailed: the store cannot be written to or does not answer.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self.settings = settings
        settings.preflight()
        prepare_mlflow_process()
        self.database = settings.database
        self.files = StoreFiles(settings.display_uri)
        with self._one_line_errors():
            warning = None
            if self.database is not None:
                ensure_database(self.database)
                warning = begin_log(self.database)
                self.files.database = self.database
            self._access = StoreAccess(settings)
            self._runs = self._access.runs
            self.files.connections = self._access.connections
            self.warning: str | None = self._access.warning or warning
            self.experiment_id = self._experiment(settings.experiment).experiment_id
            if self.database is not None:
                convert_addresses(self.database)  # those of a new experiment too
            experiment = self._runs.experiment(self.experiment_id)
            self._writer = self._access.writer(experiment)
            if not settings.is_server:
                address = absolute_address(experiment.location, settings.folder)
                self.files.watch_artifacts(local_folder(address))
        self._started: dict[str, int] = {}
        self._analyzed = False

    @property
    def client(self) -> MlflowClient:
        """MLflow's client of the store; MLflow is imported when this is first used."""
        with self._one_line_errors():
            return self._access.client

    def start(self, header: RunHeader) -> str:
        """Create a run with status RUNNING and return its id."""
        run = self.prepare(header)
        self.show(run)
        self._started[run.run_id] = run.started
        return run.run_id

    def prepare(self, header: RunHeader, started: int | None = None) -> PlannedRun:
        """Plan a run. Where gdexp can choose its id, nothing is written yet.

        Args:
            header: its name, kind, parent and tags.
            started: milliseconds since 1970; None is now.
        """
        with self._one_line_errors():
            return self._writer.prepare(header, started)

    def show(self, run: PlannedRun) -> None:
        """Write a run as RUNNING. To do so again is harmless."""
        if not run.shown:
            with self._one_line_errors():
                self._writer.show(run)

    def write(self, runs: Sequence[tuple[PlannedRun, Record]], status: str = "FINISHED") -> None:
        """Write everything of several runs, their status last."""
        if not runs:
            return
        with self._one_line_errors():
            self._writer.write([(run, self.kept(record)) for run, record in runs], status)
            if not self._analyzed and self.database is not None:
                if not has_statistics(self.database):
                    collect_statistics(self.database)
                self._analyzed = True

    def kept(self, record: Record) -> Record:
        """Return what is kept of a record: nothing of source where `tracking.source` is false."""
        return record if self.settings.source else record.without(SOURCE_TEXTS)

    def programs(self, parent: str) -> SharedPrograms:
        """Return what stores programs for all runs below a run."""
        return SharedPrograms(lambda program: self._keep_program(parent, program))

    def _keep_program(self, parent: str, program: StoredPlan) -> None:
        """Store a program among the artifacts of a run; not where `tracking.source` is false."""
        if not self.settings.source or not program.is_storable:
            return
        with self._one_line_errors():
            folder = local_folder(self._home(parent))
            if folder is None:
                self._writer.log_files(parent, {program_name(program.sha256): program.packed})
            else:
                write_program(folder, program)

    def finish(self, run_id: str, record: Record, status: str = "FINISHED") -> None:
        """Write everything of a run that was started, its status last."""
        self.write([(self.existing(run_id), record)], status)

    def log_files(self, run_id: str, artifacts: Mapping[str, bytes]) -> None:
        """Write artifacts by name."""
        with self._one_line_errors():
            self._writer.log_files(run_id, artifacts)

    def log_values(self, run_id: str, record: Record) -> None:
        """Write the trace as metric `loss`, the single metrics, params and tags.

        All points have the run's start time. MLflow keeps a step twice when its time differs, so
        a fixed time makes it harmless to write again.
        """
        started = self.existing(run_id).started
        with self._one_line_errors():
            self._writer.log_values(run_id, started, record)

    def log_points(self, run: PlannedRun, points: Points) -> None:
        """Write points of metrics of a run that is shown; to do so again is harmless."""
        with self._one_line_errors():
            self._writer.log_points(run.run_id, run.started, points)

    def end(self, run_id: str, status: str) -> None:
        """Set the last status of a run: FINISHED, FAILED or KILLED."""
        with self._one_line_errors():
            self._runs.set_status(run_id, status)

    def abandon(self, run: str | PlannedRun, status: str) -> str | None:
        """Set the status of an unfinished run. A run with another status than RUNNING keeps it.

        A run that is not written yet is written only when it failed. This is called while another
        error is raised, so errors of the store are only logged.

        Returns:
            The status that the run has now; None where there is no run, or no store.
        """
        run_id = run.run_id if isinstance(run, PlannedRun) else run
        try:
            if isinstance(run, PlannedRun) and not run.shown:
                if status == "FAILED":
                    self._writer.show(run, status)
                    return status
                return None
            known = self._runs.run(run_id)
            if known is None or known.status != "RUNNING":
                return None if known is None else known.status
            self._runs.set_status(run_id, status)
        except storage_errors(StorageFailed):
            logging.getLogger(__name__).debug("run %s was left as it is", run_id)
            return None
        return status

    def stored_files(self, run_id: str) -> StoredFiles:
        """Read back the arrays and the JSON files of a finished run that its manifest lists."""
        with self._one_line_errors(), tempfile.TemporaryDirectory() as temporary:
            folder = local_folder(self._home(run_id))

            def read(name: str) -> bytes:
                if folder is not None:
                    return (folder / name).read_bytes()
                return Path(self.client.download_artifacts(run_id, name, temporary)).read_bytes()

            names = json.loads(read(MANIFEST))
            found = {n: read(n) for n in names if n.endswith((".npy", ".json"))}
        return stored_files(found)

    def shards(self, parent: str) -> ShardFolder:
        """Return the folder of a sweep's shards."""
        with self._one_line_errors():
            home = self._home(parent)
        return ShardFolder(lambda: self.client, parent, home, self._one_line_errors)

    def save_view(self, parent: str, view: chart_views.SweepView) -> None:
        """Save the chart view of a sweep's children in the experiment; replace an earlier one."""
        with self._one_line_errors():
            state = chart_views.view_state(parent, view, self._known(parent).started)
            self._runs.set_experiment_tag(self.experiment_id, chart_views.view_tag(parent), state)

    def save_runs_view(self) -> None:
        """Save the chart view of the experiment's single runs where it is not saved yet."""
        with self._one_line_errors():
            known = self._runs.experiment(self.experiment_id)
            state = chart_views.runs_view_state("single runs", known.created)
            if known.tags.get(chart_views.runs_view_tag()) != state:
                self._runs.set_experiment_tag(
                    self.experiment_id, chart_views.runs_view_tag(), state
                )

    def has_run(self, run_id: str) -> bool:
        """Return whether a run exists in this experiment."""
        with self._one_line_errors():
            known = self._runs.run(run_id)
        return known is not None and known.experiment_id == self.experiment_id

    def holds(self, run_id: str) -> bool:
        """Return whether a run exists in this store, in any experiment."""
        with self._one_line_errors():
            return self._runs.run(run_id) is not None

    def contents(self, run_id: str) -> RunContents:
        """Return what a run holds."""
        with self._one_line_errors():
            return RunContents.of(self._access.client, run_id)

    def missing_reason(self, run_id: str) -> str | None:
        """Return why a run is not among the active ones, and how to restore it; else None."""
        with self._one_line_errors():
            return missing_reason(self._runs, run_id)

    def reopen(self, run_id: str) -> None:
        """Set an ended run to RUNNING again.

        Raises:
            StorageFailed: the run does not exist.
        """
        with self._one_line_errors():
            self._runs.set_status(run_id, "RUNNING")

    def children(self, parent: str, running: bool = False) -> list[StoredRun]:
        """Return the trials of a sweep, oldest first: all, or only those still RUNNING.

        Of a trial with several seeds it returns the seeds. Further descents of trials are none.
        """
        found = self.search({"mlflow.parentRunId": parent}, "RUNNING" if running else None)
        return [run for run in found if run.tags.get("gdexp.kind") not in FURTHER_KINDS]

    def running(self, kind: str) -> list[StoredRun]:
        """Return the runs of a kind that are RUNNING, oldest first."""
        return self.search({"gdexp.kind": kind}, "RUNNING")

    def search(
        self,
        tags: Mapping[str, str],
        status: str | None = None,
        run_ids: Collection[str] | None = None,
    ) -> list[StoredRun]:
        """Return the active runs of the experiment that meet all conditions, oldest first.

        Args:
            tags: that the runs have, with these values.
            status: that the runs have; None: any.
            run_ids: the runs to choose from; None: all.
        """
        with self._one_line_errors():
            return self._runs.search(self.experiment_id, tags, status, run_ids)

    def _experiment(self, name: str) -> StoredExperiment:
        """Return the experiment with a name, which is created if it is missing."""
        found = self._runs.experiment_named(name)
        if found is None:
            self._runs.create_experiment(name, self.settings.artifacts(name))
            found = self._runs.experiment_named(name)
        if found is None or not found.active:
            number = "" if found is None else found.experiment_id
            raise StorageFailed(
                f"tracking.experiment={name}: was deleted in MLflow; mlflow experiments restore "
                f"--experiment-id {number} restores it, or name another"
            )
        return found

    def _known(self, run_id: str) -> StoredRun:
        found = self._runs.run(run_id)
        if found is None:
            raise StorageFailed(f"MLflow run {run_id} was deleted for good")
        return found

    def _home(self, run_id: str) -> str:
        """Return the absolute address of a run's artifacts."""
        return absolute_address(self._known(run_id).address, self.settings.folder)

    def existing(self, run_id: str) -> PlannedRun:
        """Return a run that is in the store already."""
        started = self._started.get(run_id)
        if started is None:
            with self._one_line_errors():
                started = self._known(run_id).started
            self._started[run_id] = started
        return PlannedRun(run_id, RunHeader("", ""), started, shown=True)

    @contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Delay signals, and turn an error of MLflow, SQL or the disk into one line."""
        try:
            with signals.shielded():
                self.files.check()
                yield
                self.files.check()
        except storage_errors() as error:
            if "foreign key constraint" in str(error).lower():
                raise StorageChanged(
                    f"tracking.uri={self.settings.display_uri}: the experiment, or a run that was "
                    "to be written, was deleted in MLflow for good"
                ) from error
            raise StorageFailed(
                f"tracking.uri={self.settings.display_uri}: {failure_reason(error)}"
            ) from error
