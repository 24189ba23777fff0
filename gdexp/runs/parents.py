"""The runs that others are children of, each read once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gdexp.runs.tracked_run import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class Parents:
    """Reads runs by their ids.

    Args:
        client: of the store.
        load: makes a run of what the client returns.
    """

    def __init__(self, client: MlflowClient, load: Callable[[Run], TrackedRun]) -> None:
        self._client = client
        self._load = load
        self._known: dict[str, TrackedRun] = {}

    def find(self, run_id: str) -> TrackedRun | None:
        """Return a run; None where it is gone."""
        from mlflow.exceptions import MlflowException

        if run_id not in self._known:
            try:
                self._known[run_id] = self._load(self._client.get_run(run_id))
            except MlflowException:
                return None
        return self._known[run_id]
