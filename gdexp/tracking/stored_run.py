"""Runs and experiments that a store holds, as plain values; MLflow itself is not imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class StoredRun:
    """A run as it stands in the store.

    Attributes:
        run_id: its id.
        experiment_id: of its experiment.
        status: RUNNING, FINISHED, FAILED or KILLED.
        started: milliseconds since 1970.
        address: of its artifacts, as MLflow keeps it.
        active: whether it is not deleted.
        tags: all of them.
    """

    run_id: str
    experiment_id: str
    status: str
    started: int
    address: str
    active: bool
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunContents:
    """What a run holds that other code may have written.

    Attributes:
        metrics: their names.
        files: the names of files and folders at the top of its artifacts.
    """

    metrics: frozenset[str]
    files: frozenset[str]

    @classmethod
    def of(cls, client: MlflowClient, run_id: str) -> RunContents:
        """Read them by MLflow's client."""
        data = client.get_run(run_id).data
        files = (str(each.path) for each in client.list_artifacts(run_id))
        return cls(frozenset(data.metrics), frozenset(files))


@dataclass(frozen=True)
class StoredExperiment:
    """An experiment as it stands in the store.

    Attributes:
        experiment_id: its id.
        name: its name.
        location: the address of its artifacts, as MLflow keeps it.
        created: milliseconds since 1970.
        active: whether it is not deleted.
        tags: all of them.
    """

    experiment_id: str
    name: str
    location: str
    created: int
    active: bool
    tags: Mapping[str, str] = field(default_factory=dict)


class StoredRuns(Protocol):
    """What reads and changes the runs and experiments of a store: its tables, or a client."""

    def run(self, run_id: str) -> StoredRun | None:
        """Return a run; None where there is none."""

    def experiment(self, experiment_id: str) -> StoredExperiment:
        """Return an experiment that exists."""

    def experiment_named(self, name: str) -> StoredExperiment | None:
        """Return the experiment with a name, also a deleted one; None where there is none."""

    def create_experiment(self, name: str, location: str | None) -> str | None:
        """Create an experiment; return its id, or None where another process was first."""

    def search(
        self,
        experiment_id: str,
        tags: Mapping[str, str],
        status: str | None = None,
        run_ids: Collection[str] | None = None,
    ) -> list[StoredRun]:
        """Return the active runs of an experiment that meet all conditions, oldest first.

        Args:
            experiment_id: of the experiment.
            tags: that the runs have, with these values.
            status: that the runs have; None: any.
            run_ids: the runs to choose from; None: all.
        """

    def set_status(self, run_id: str, status: str) -> None:
        """Set the status of an active run; one that has ended gets the time of its end."""

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment."""
