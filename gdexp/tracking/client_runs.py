"""Runs and experiments of a store, read and changed by MLflow's public client."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from gdexp.tracking.stored_run import StoredExperiment, StoredRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

MOST_IDS = 100
"""Run ids in one query."""

NOT_THERE = "RESOURCE_DOES_NOT_EXIST"


class ClientRuns:
    """Reads and changes runs by `MlflowClient`.

    Args:
        client: of the store.
    """

    def __init__(self, client: MlflowClient) -> None:
        self._client = client

    def run(self, run_id: str) -> StoredRun | None:
        """Return a run; None where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return _run(self._client.get_run(run_id))
        except MlflowException as error:
            if error.error_code == NOT_THERE:
                return None
            raise

    def experiment(self, experiment_id: str) -> StoredExperiment:
        """Return an experiment that exists."""
        return _experiment(self._client.get_experiment(experiment_id))

    def experiment_named(self, name: str) -> StoredExperiment | None:
        """Return the experiment with a name, also a deleted one; None where there is none."""
        found = self._client.get_experiment_by_name(name)
        return None if found is None else _experiment(found)

    def create_experiment(self, name: str, location: str | None) -> str | None:
        """Create an experiment; return its id, or None where another process was first."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.create_experiment(name, artifact_location=location))
        except MlflowException:
            if self._client.get_experiment_by_name(name) is None:
                raise
            return None

    def search(
        self,
        experiment_id: str,
        tags: Mapping[str, str],
        status: str | None = None,
        run_ids: Collection[str] | None = None,
    ) -> list[StoredRun]:
        """Return the active runs of an experiment that meet all conditions, oldest first."""
        conditions = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        if status is not None:
            conditions.append(f"attributes.status = '{status}'")
        if run_ids is None:
            return list(self._found(experiment_id, conditions))
        found: list[StoredRun] = []
        listed = sorted(run_ids)
        for begin in range(0, len(listed), MOST_IDS):
            part = ", ".join(f"'{each}'" for each in listed[begin : begin + MOST_IDS])
            found += self._found(experiment_id, [*conditions, f"attributes.run_id IN ({part})"])
        return sorted(found, key=lambda run: run.started)

    def set_status(self, run_id: str, status: str) -> None:
        """Set the status of an active run; one that has ended gets the time of its end."""
        if status == "RUNNING":
            self._client.update_run(run_id, status=status)
        else:
            self._client.set_terminated(run_id, status)

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment."""
        self._client.set_experiment_tag(experiment_id, key, value)

    def _found(self, experiment_id: str, conditions: list[str]) -> Iterator[StoredRun]:
        token = None
        while True:
            page = self._client.search_runs(
                [experiment_id],
                filter_string=" AND ".join(conditions),
                order_by=["attributes.start_time ASC"],
                max_results=1000,
                page_token=token,
            )
            yield from map(_run, page)
            token = page.token
            if not token:
                return


def _run(run: Run) -> StoredRun:
    return StoredRun(
        run_id=str(run.info.run_id),
        experiment_id=str(run.info.experiment_id),
        status=str(run.info.status),
        started=int(run.info.start_time or 0),
        address=str(run.info.artifact_uri),
        active=run.info.lifecycle_stage == "active",
        tags=dict(run.data.tags),
    )


def _experiment(experiment: Experiment) -> StoredExperiment:
    return StoredExperiment(
        experiment_id=str(experiment.experiment_id),
        name=str(experiment.name),
        location=str(experiment.artifact_location),
        created=int(experiment.creation_time or 0),
        active=experiment.lifecycle_stage == "active",
        tags=dict(experiment.tags),
    )
