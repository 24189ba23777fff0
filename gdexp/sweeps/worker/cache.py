"""Runs that are tracked already, taken instead of a new descent."""

from __future__ import annotations

import torch

from gdexp.descent import Result, Status
from gdexp.experiment import Experiment
from gdexp.tracking import Store, checked_arrays, finished_descents


class RunCache:
    """The finished descents of an MLflow experiment by their signature.

    Args:
        store: looked through once; what the sweep itself makes is added as it goes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs = finished_descents(store)

    def add(self, signature: str, run_id: str, status: str) -> None:
        """Remember a descent that has just been recorded."""
        self._runs.setdefault(signature, (run_id, status))

    def find(self, experiment: Experiment) -> tuple[str, Result] | None:
        """The run of an equal experiment and its result; None where there is none.

        A run whose files are gone or do not agree with their manifest is passed over.
        """
        found = self._runs.get(experiment.signature)
        if found is None:
            return None
        run_id, status = found
        arrays = checked_arrays(self._store, run_id)
        if arrays is None or status not in set(Status):
            del self._runs[experiment.signature]
            return None
        return run_id, Result(
            status=Status(status),
            trace=arrays["trace"],
            initial=torch.from_numpy(arrays["initial"]).to(experiment.dtype),
            final=torch.from_numpy(arrays["final"]).to(experiment.dtype),
            rule=experiment.rule,
            stopping=experiment.stopping,
            f_star=experiment.problem.reference,
            problem=experiment.problem.name,
        )
