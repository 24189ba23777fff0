"""Find runs in MLflow and load them as `TrackedRun` objects.

The number of searches grows with the pages of results, not with the number of runs.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, StorageFailed, failure_reason, printable_line, shown_path
from gdexp.runs.artifact_reader import ArtifactReader, UnreadableRun
from gdexp.runs.parents import Parents
from gdexp.runs.run_list import Runs
from gdexp.runs.shard_runs import CHILDREN_TAG, runs_of_rows
from gdexp.runs.stored_texts import bounded_texts, stored_count
from gdexp.runs.tracked_run import TrackedRun
from gdexp.tracking import (
    ShardFolder,
    TrackingSettings,
    absolute_address,
    close_at_end,
    configure_mlflow_process,
    ensure_database,
    local_folder,
    quiet_mlflow,
    upload,
    write_files,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PREFIX = re.compile(r"[0-9a-f]{4,31}")
RUN_ID = re.compile(r"[A-Za-z0-9_-]{4,256}")
PAGE = 1000
LONGEST_NAME = 500


class DeletedRun(BadInput):
    """A run was deleted in MLflow and could still be restored there."""


def load_runs(
    runs: str | Sequence[str] | None = None,
    *,
    uri: str | None = None,
    experiment: str = "gdexp",
    verify: bool = True,
) -> Runs:
    """Load tracked runs as typed objects; nothing of the calling process is changed.

    ::

        from gdexp import load_runs

        runs = load_runs()  # of the newest sweep here
        print(runs.best.iterations_to(1e-6))
        runs.frame().plot.scatter("optimizer.lr", "iterations")

    Args:
        runs: a run id, at least its first four digits, or a list of those. The id of a sweep
            loads its trials, `SWEEP/NUMBER` one of them. None: the newest sweep, or all runs
            of the experiment if there is no sweep.
        uri: MLflow's tracking URI; None: that of `MLFLOW_TRACKING_URI`, or else
            `sqlite:///mlflow.db` in the current directory.
        experiment: the MLflow experiment; a complete run id is also found in other experiments.
        verify: whether each file is checked against its run's manifest when it is first used; a
            file that was altered raises `AlteredRun`. False is quicker for long traces.

    Raises:
        BadInput: there is no such store, experiment or run, or a prefix matches several runs.
        StorageFailed: the store cannot be read.
    """
    with quiet_mlflow():
        return RunLoader(TrackingSettings(uri=uri, experiment=experiment), verify).load(runs)


def _sweep_order(run: TrackedRun) -> tuple[int, int]:
    """Return the sort key of a descent in its sweep: trial number, then seed."""
    seed = stored_count(run.tags.get("gdexp.seed", ""))
    return -1 if run.trial is None else run.trial, -1 if seed is None else seed


class RunLoader:
    """Reads the runs of an MLflow experiment; creates neither the experiment nor runs.

    Args:
        settings: of the store and the experiment.
        verify: whether each file is checked against its run's manifest before it is used.

    Raises:
        BadInput: there is no store or no such experiment.
        StorageFailed: the store cannot be read or does not answer.
    """

    def __init__(self, settings: TrackingSettings, verify: bool = True) -> None:
        self.settings = settings
        self._verify = verify
        settings.preflight(reading=True)
        database = settings.database
        if database is not None and (not database.exists() or not database.stat().st_size):
            raise BadInput(
                "tracking.uri",
                settings.display_uri,
                "holds no runs yet; python -m gdexp makes one",
            )
        configure_mlflow_process()
        from mlflow import MlflowClient

        with self._storage_errors():
            if database is not None and not settings.read_only:
                ensure_database(database)
            self.client: MlflowClient = MlflowClient(tracking_uri=settings.reading_uri)
            close_at_end(self.client, None if settings.read_only else database)
            found = self.client.get_experiment_by_name(settings.experiment)
        if found is None or found.lifecycle_stage != "active":
            what = "there is no such experiment" if found is None else "was deleted in MLflow"
            raise BadInput("tracking.experiment", settings.experiment, f"{what}; name another")
        self.experiment_id = str(found.experiment_id)
        self._readers: dict[str, ArtifactReader] = {}
        self._parents = Parents(self.client, self._run)
        self._minima: dict[tuple[tuple[str, str], ...], float | None] = {}

    def load(self, wanted: str | Sequence[str] | None = None, key: str = "runs") -> Runs:
        """Load the runs with the given ids; see `load_runs`.

        Args:
            wanted: ids, prefixes, or None.
            key: the config key that an error names.
        """
        if wanted is None:
            newest = self._search("tags.`gdexp.kind` = 'sweep'", newest=True, most=1)
            if not newest:
                return Runs(self._run(run) for run in self._search(""))
            parent = self._run(newest[0])
            return Runs(self._of_sweep(parent), parent)
        several = isinstance(wanted, Sequence) and not isinstance(wanted, str)
        names = list(wanted) if several else [wanted]
        found: dict[str, TrackedRun] = {}
        sweeps = []
        for name in names:
            if isinstance(name, str) and "/" in name:
                found |= {run.run_id: run for run in self._trial(name, key)}
                continue
            run = self._run(self._find(name, key))
            if run.kind == "sweep":
                sweeps.append(run)
                found |= {child.run_id: child for child in self._of_sweep(run)}
            else:
                children = self._children(run) if run.kind == "trial" else []
                seeds = [self._run(each, run.trial) for each in children]
                found |= {each.run_id: each for each in seeds or [run]}
        single = sweeps[0] if sweeps and len(set(names)) == 1 else None
        return Runs(found.values(), single)

    def log_files(self, run: TrackedRun, folder: str, files: Mapping[str, bytes]) -> str:
        """Write files into a folder among the artifacts of a run; return the folder's address.

        Raises:
            StorageFailed: they cannot be written.
        """
        place = local_folder(run.home)
        with self._storage_errors():
            if place is not None:
                write_files(place / folder, files)
                return shown_path(place / folder)
            upload(lambda made: self.client.log_artifacts(run.run_id, made, folder), files)
            return f"{run.home}/{folder}"

    def _find(self, name: object, key: str) -> Run:
        if not isinstance(name, str) or not RUN_ID.fullmatch(name):
            raise BadInput(key, name, f"must be a run id or its first digits; {self._listing()}")
        if PREFIX.fullmatch(name):
            matches = self._search(f"attributes.run_id LIKE '{name}%'", most=2)
            if not matches:
                matches = self._search(f"attributes.run_id LIKE '{name}%'", most=2, deleted=True)
            if len(matches) > 1:
                raise BadInput(key, name, "begins several run ids; give more of its digits")
            name = matches[0].info.run_id if matches else name
        from mlflow.exceptions import MlflowException

        with self._storage_errors():
            try:
                run = self.client.get_run(str(name))
            except MlflowException as error:
                if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    raise
                place = self.settings.display_uri
                raise BadInput(key, name, f"no such run in {place}; {self._listing()}") from None
        if run.info.lifecycle_stage != "active":
            raise DeletedRun(key, name, "was deleted in MLflow; restore it there or name another")
        return run

    def _listing(self) -> str:
        """Return a hint with the newest three runs and the command that lists all."""
        newest = [
            f"{run.info.run_id[:8]} ({printable_line(str(run.info.run_name))})"
            for run in self._search("", newest=True, most=50)
            if "mlflow.parentRunId" not in run.data.tags
        ][:3]
        newest_runs = f"the newest are {', '.join(newest)}; " if newest else ""
        return f"{newest_runs}mlflow runs list --experiment-id {self.experiment_id} lists all"

    def _of_sweep(self, parent: TrackedRun) -> list[TrackedRun]:
        """Return the descents of a sweep; a trial of several seeds gives one run for each seed."""
        trials = [self._run(run) for run in self._children(parent)]
        by_id = {trial.run_id: trial for trial in trials}
        seeds: dict[str, list[TrackedRun]] = {}
        # All trials of a sweep have the same number of seeds, so one trial shows if there are runs
        # of seeds.
        finished = next((trial for trial in trials if trial.state == "FINISHED"), None)
        if finished is not None and self._children(finished, most=1):
            condition = f"tags.`gdexp.kind` = 'seed' AND attributes.start_time >= {parent.started}"
            for run in self._search(condition, parent.experiment_id):
                above = by_id.get(run.data.tags.get("mlflow.parentRunId", ""))
                if above is not None:
                    seeds.setdefault(above.run_id, []).append(self._run(run, above.trial))
        listed = [run for trial in trials for run in seeds.get(trial.run_id, [trial])]
        # A trial may be both a run and a row: take the run if it is finished, else the row.
        rows = self._rows(parent)
        in_rows = {row.trial for row in rows}
        runs = [run for run in listed if run.state == "FINISHED" or run.trial not in in_rows]
        in_runs = {run.trial for run in runs}
        merged = [*runs, *(row for row in rows if row.trial not in in_runs)]
        return sorted(merged, key=_sweep_order)

    def _rows(self, parent: TrackedRun, trials: Collection[int] | None = None) -> list[TrackedRun]:
        """Return the trials of a sweep that are rows of its shards."""
        if CHILDREN_TAG not in parent.tags:
            return []
        try:
            self._reader(parent.experiment_id).check_place(parent.home)
        except UnreadableRun as error:
            raise StorageFailed(f"sweep {parent.short}: {error}") from None
        shards = ShardFolder(lambda: self.client, parent.run_id, parent.home, self._storage_errors)
        return runs_of_rows(parent, shards, self._minima, trials, self._verify)

    def _trial(self, name: str, key: str) -> list[TrackedRun]:
        """Return the descents of the trial `SWEEP/NUMBER`, or of the seed `SWEEP/NUMBER/SEED`."""
        sweep, *rest = name.split("/")
        if not 1 <= len(rest) <= 2 or not all(each.isdecimal() and each.isascii() for each in rest):
            raise BadInput(key, name, "must be SWEEP/NUMBER: a sweep's run id and a trial's number")
        parent = self._run(self._find(sweep, key))
        if parent.kind != "sweep":
            raise BadInput(key, name, f"run {parent.short} is no sweep, so it has no trials")
        number = int(rest[0])
        condition = f"tags.`mlflow.parentRunId` = '{parent.run_id}' AND tags.`gdexp.trial` = "
        runs = []
        for run in self._search(f"{condition}'{number}'", parent.experiment_id):
            trial = self._run(run)
            if trial.state == "FINISHED":
                runs = [self._run(each, number) for each in self._children(trial)] or [trial]
        found = runs or self._rows(parent, {number})
        if len(rest) == 2:
            found = found[int(rest[1]) :][:1]
        if not found:
            raise BadInput(key, name, f"sweep {parent.short} has no finished trial of this number")
        return found

    def _children(self, run: TrackedRun, most: int | None = None) -> list[Run]:
        condition = f"tags.`mlflow.parentRunId` = '{run.run_id}'"
        return self._search(condition, run.experiment_id, most=most)

    def _run(self, run: Run, trial: int | None = None) -> TrackedRun:
        tags = bounded_texts(run.data.tags)
        number = stored_count(tags.get("gdexp.trial", ""))
        return TrackedRun(
            run_id=str(run.info.run_id),
            name=printable_line(str(run.info.run_name or "")[:LONGEST_NAME]),
            kind=tags.get("gdexp.kind", ""),
            state=str(run.info.status),
            params=bounded_texts(run.data.params),
            metrics={str(key): float(value) for key, value in run.data.metrics.items()},
            tags=tags,
            trial=trial if number is None else number,
            parent=tags.get("mlflow.parentRunId"),
            started=int(run.info.start_time or 0),
            experiment_id=str(run.info.experiment_id),
            home=absolute_address(str(run.info.artifact_uri or ""), self.settings.folder),
            _files=self._reader(str(run.info.experiment_id)),
            _minima=self._minima,
            _above=self._parents.find,
        )

    def _reader(self, experiment_id: str) -> ArtifactReader:
        """Return the reader of an experiment's files.

        In a SQLite store they lie beside the database, or where MLflow was told to keep the
        experiment's artifacts: an address in a database from elsewhere may name any folder.
        """
        reader = self._readers.get(experiment_id)
        if reader is None:
            folder, within = self.settings.folder, []
            if folder is not None:
                within.append(folder)
                with self._storage_errors():
                    location = self.client.get_experiment(experiment_id).artifact_location
                place = local_folder(absolute_address(str(location or ""), folder))
                if place is not None and len(place.parts) > 2:
                    within.append(place)
            reader = ArtifactReader(self.client, within, self._verify)
            self._readers[experiment_id] = reader
        return reader

    def _search(
        self,
        condition: str,
        experiment_id: str | None = None,
        newest: bool = False,
        most: int | None = None,
        deleted: bool = False,
    ) -> list[Run]:
        """Return runs that meet a condition, oldest first: the active ones or the deleted ones."""
        from mlflow.entities import ViewType

        found: list[Run] = []
        token: Any = None
        order = "DESC" if newest else "ASC"
        while True:
            with self._storage_errors():
                page = self.client.search_runs(
                    [experiment_id or self.experiment_id],
                    filter_string=condition,
                    run_view_type=ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY,
                    order_by=[f"attributes.start_time {order}"],
                    max_results=min(PAGE, most or PAGE),
                    page_token=token,
                )
            found += page
            token = page.token
            if not token or (most is not None and len(found) >= most):
                return found

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Turn errors of MLflow, SQL and the disk into a `StorageFailed` that names the store."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StorageFailed(
                f"tracking.uri={self.settings.display_uri}: {failure_reason(error)}"
            ) from error
