"""Tracked runs that a sweep reuses instead of new descents (`sweep.reuse`)."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path

import torch

from gdexp.descent import Minimum, Result, Status
from gdexp.experiment import Experiment
from gdexp.tracking import MANIFEST, Array, Store, decode_array

ARRAYS = ("initial", "final", "trace")


class RunCache:
    """The finished descents of an MLflow experiment, by signature.

    Args:
        store: is searched once; the sweep adds its own runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs = _finished_runs(store)

    def add(self, signature: str, run_id: str, status: str) -> None:
        """Add a descent that was recorded."""
        self._runs.setdefault(signature, (run_id, status))

    def find(self, experiment: Experiment) -> tuple[str, Result] | None:
        """Return the run of an equal experiment and its result; None where there is none.

        A run is ignored if a file is missing or does not agree with the manifest, or if it
        converged below f* by what that meant earlier.
        """
        found = self._runs.get(experiment.signature)
        if found is None:
            return None
        run_id, status = found
        arrays = _read_arrays(self._store, run_id)
        if arrays is None or status not in set(Status):
            del self._runs[experiment.signature]
            return None
        result = Result(
            status=Status(status),
            trace=arrays["trace"],
            initial=torch.from_numpy(arrays["initial"]).to(experiment.dtype),
            final=torch.from_numpy(arrays["final"]).to(experiment.dtype),
            rule=experiment.rule,
            stopping=experiment.stopping,
            f_star=experiment.problem.reference,
            problem=experiment.problem.name,
        )
        minimum = Minimum(experiment.problem, result.final.device)
        if result.converged and not minimum.is_above(result.final_loss, result.final):
            del self._runs[experiment.signature]  # an earlier version took it for converged
            return None
        return run_id, result


def _finished_runs(store: Store) -> dict[str, tuple[str, str]]:
    """Return run id and status of the first finished run of each signature."""
    found: dict[str, tuple[str, str]] = {}
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id],
            filter_string="attributes.status = 'FINISHED' AND tags.`gdexp.signature` != ''",
            order_by=["attributes.start_time ASC"],
            max_results=1000,
            page_token=token,
        )
        for run in page:
            tags = run.data.tags
            status = str(tags.get("gdexp.status", ""))
            found.setdefault(str(tags["gdexp.signature"]), (run.info.run_id, status))
        token = page.token
        if not token:
            return found


def _read_arrays(store: Store, run_id: str) -> dict[str, Array] | None:
    """Return a run's arrays; None if one is missing or does not agree with the manifest."""
    from mlflow.exceptions import MlflowException

    arrays = {}
    try:
        with tempfile.TemporaryDirectory() as folder:

            def read(name: str) -> bytes:
                return Path(store.client.download_artifacts(run_id, name, folder)).read_bytes()

            digests = json.loads(read(MANIFEST))
            for name in ARRAYS:
                content = read(f"{name}.npy")
                if hashlib.sha256(content).hexdigest() != digests[f"{name}.npy"]:
                    return None
                arrays[name] = decode_array(content)
    except (MlflowException, OSError, ValueError, KeyError):
        return None
    return arrays
