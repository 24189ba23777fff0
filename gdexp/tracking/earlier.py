"""Finished descents of earlier runs, found by signature and read back whole."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.tracking.arrays import Array, decode_array
from gdexp.tracking.record import MANIFEST

if TYPE_CHECKING:
    from gdexp.tracking.store import Store

ARRAYS = ("initial", "final", "trace")


def finished_descents(store: Store) -> dict[str, tuple[str, str]]:
    """Signature to run id and status of every finished descent of the store's experiment."""
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


def checked_arrays(store: Store, run_id: str) -> dict[str, Array] | None:
    """A run's arrays when they are there and agree with its manifest, else None."""
    from mlflow.exceptions import MlflowException

    try:
        with tempfile.TemporaryDirectory() as folder:
            path = store.client.download_artifacts(run_id, MANIFEST, folder)
            wanted = json.loads(Path(path).read_bytes())
            arrays = {}
            for name in ARRAYS:
                path = store.client.download_artifacts(run_id, f"{name}.npy", folder)
                content = Path(path).read_bytes()
                if hashlib.sha256(content).hexdigest() != wanted[f"{name}.npy"]:
                    return None
                arrays[name] = decode_array(content)
            return arrays
    except (MlflowException, OSError, ValueError, KeyError):
        return None
