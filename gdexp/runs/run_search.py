"""Search MLflow for runs: by a condition, by an id or its first digits, and the newest."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdexp.core import BadInput, StorageFailed, failure_reason, printable_line
from gdexp.tracking import (
    FURTHER_KINDS,
    TrackingSettings,
    close_at_end,
    configure_mlflow_process,
    ensure_database,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PREFIX = re.compile(r"[0-9a-f]{4,31}")
RUN_ID = re.compile(r"[A-Za-z0-9_-]{4,256}")
PAGE = 1000

UNUSED = "Default"
"""The experiment that every store of MLflow has."""

MOST_SHOWN = 200
"""Characters of the names of other experiments that a message shows."""

PARENT_TAG = "mlflow.parentRunId"
"""The tag of a run that names the run which it is a child of."""

KIND = "tags.`gdexp.kind`"
"""The kind of a run, in a condition."""

NEWEST_KINDS = ("sweep", "run")
"""The kinds of the runs that a command without an id looks for."""


class DeletedRun(BadInput):
    """A run was deleted in MLflow and could still be restored there."""


class RunSearch:
    """Finds runs of an MLflow experiment; creates neither the experiment nor runs.

    Args:
        settings: of the store and the experiment.

    Attributes:
        settings: as given.
        client: of the store.

    Raises:
        BadInput: there is no store.
        StorageFailed: the store cannot be read or does not answer.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self.settings = settings
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

        with self.storage_errors():
            if database is not None and not settings.read_only:
                ensure_database(database)
            self.client: MlflowClient = MlflowClient(tracking_uri=settings.reading_uri)
            close_at_end(self.client, None if settings.read_only else database)

    @cached_property
    def experiment_id(self) -> str:
        """The id of the experiment; a complete run id is found without it.

        Raises:
            BadInput: there is no such experiment.
        """
        name = self.settings.experiment
        with self.storage_errors():
            found = self.client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage == "active":
                return str(found.experiment_id)
            known = [str(each.name) for each in self.client.search_experiments(max_results=50)]
        what = "there is no such experiment" if found is None else "was deleted in MLflow"
        others = ", ".join(printable_line(each) for each in known if each != UNUSED)
        there = f", such as {others[:MOST_SHOWN]}" if others else ""
        raise BadInput("tracking.experiment", name, f"{what}; name another{there}")

    def find(self, name: object, key: str) -> Run:
        """Return the run with an id or its first digits.

        Args:
            name: the id.
            key: the config key that an error names.

        Raises:
            BadInput: there is no such run, or several begin so; `DeletedRun` for a deleted one.
        """
        if not isinstance(name, str) or not RUN_ID.fullmatch(name):
            raise BadInput(key, name, f"must be a run id or its first digits; {self._listing()}")
        if PREFIX.fullmatch(name):
            matches = self.runs(f"attributes.run_id LIKE '{name}%'", most=2)
            if not matches:
                matches = self.runs(f"attributes.run_id LIKE '{name}%'", most=2, deleted=True)
            if len(matches) > 1:
                raise BadInput(key, name, "begins several run ids; give more of its digits")
            name = matches[0].info.run_id if matches else name
        from mlflow.exceptions import MlflowException

        with self.storage_errors():
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
            for run in self.runs("", newest="start_time", most=50)
            if PARENT_TAG not in run.data.tags
        ][:3]
        newest_runs = f"the newest are {', '.join(newest)}; " if newest else ""
        return f"{newest_runs}mlflow runs list --experiment-id {self.experiment_id} lists all"

    def children(self, run_id: str, experiment_id: str, most: int | None = None) -> list[Run]:
        """Return the children of a run, oldest first; of a sweep its trials alone."""
        found = self.runs(f"tags.`{PARENT_TAG}` = '{run_id}'", experiment_id, most=most)
        return [run for run in found if run.data.tags.get("gdexp.kind") not in FURTHER_KINDS]

    def newest(self) -> Run | None:
        """Return the sweep or single run that was started or ended last.

        A sweep that went on counts by its last end. Without any it is the newest of the other
        runs, such as reruns and runs that gdexp did not make.
        """
        found = [
            run
            for kind in NEWEST_KINDS
            for order in ("start_time", "end_time")
            for run in self.runs(f"{KIND} = '{kind}'", newest=order, most=1)
        ]
        found = found or self.runs("", newest="start_time", most=1)
        return max(found, key=_last_moment, default=None)

    def runs(
        self,
        condition: str,
        experiment_id: str | None = None,
        newest: str | None = None,
        most: int | None = None,
        deleted: bool = False,
    ) -> list[Run]:
        """Return runs that meet a condition.

        Args:
            condition: of MLflow's language.
            experiment_id: of another experiment than the own one.
            newest: the attribute by which the latest run comes first; None: the oldest start.
            most: how many are wanted.
            deleted: whether deleted runs are meant, and not the active ones.
        """
        from mlflow.entities import ViewType

        found: list[Run] = []
        token: Any = None
        order = "start_time ASC" if newest is None else f"{newest} DESC"
        while True:
            with self.storage_errors():
                page = self.client.search_runs(
                    [experiment_id or self.experiment_id],
                    filter_string=condition,
                    run_view_type=ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY,
                    order_by=[f"attributes.{order}"],
                    max_results=min(PAGE, most or PAGE),
                    page_token=token,
                )
            found += page
            token = page.token
            if not token or (most is not None and len(found) >= most):
                return found

    @contextmanager
    def storage_errors(self) -> Iterator[None]:
        """Turn errors of MLflow, SQL and the disk into a `StorageFailed` that names the store."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise StorageFailed(
                f"tracking.uri={self.settings.display_uri}: {failure_reason(error)}"
            ) from error


def _last_moment(run: Run) -> int:
    """Return when a run ended; when it began where it has not ended."""
    return max(int(run.info.start_time or 0), int(run.info.end_time or 0))
