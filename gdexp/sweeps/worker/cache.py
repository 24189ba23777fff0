"""Tracked runs that a sweep reuses instead of new descents (`sweep.reuse`)."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from gdexp.config import config_signature
from gdexp.core import changed_files, read_regular
from gdexp.descent import Minimum, Result, Status
from gdexp.display import terminal
from gdexp.engine import MOST_STORED, StoredPlan
from gdexp.experiment import (
    ENVIRONMENT,
    PROGRAM,
    Experiment,
    problem_code,
    program_digest,
    recorded_code,
)
from gdexp.tracking import MANIFEST, Store, decode_array, program_name, stored_files

ARRAYS = ("initial", "final", "trace")


class RunCache:
    """The finished descents of an MLflow experiment, by signature.

    A run of other code of the user's is not taken. A run that an earlier version of gdexp recorded
    says nothing of its code: it is taken, and this is said once.

    Args:
        store: is searched once; the sweep adds its own runs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs: dict[str, dict[str, tuple[str, str]]] = {}
        self._has_warned = False
        self._programs: dict[str, StoredPlan | None] = {}
        for signature, run_id, status in _finished_runs(store):
            self.add(signature, run_id, status)

    def add(self, signature: str, run_id: str, status: str) -> None:
        """Add a descent that was recorded; one that other trials ended early is left out."""
        if status == Status.PRUNED:
            return
        of_config = self._runs.setdefault(config_signature(signature), {})
        of_config.setdefault(signature, (run_id, status))

    def find(self, experiment: Experiment) -> tuple[str, Result] | None:
        """Return the run of an equal experiment and its result; None where there is none.

        A run is ignored if a file is missing or does not agree with the manifest, or if it
        converged below f* by what that meant earlier.
        """
        wanted = experiment.signature
        of_config = self._runs.get(config_signature(wanted), {})
        # The same code first, then code that imported more, at last code that is not known.
        candidates = sorted(of_config, key=lambda each: (each != wanted, "-" not in each))
        for signature in candidates:
            run_id, status = of_config[signature]
            files = _read_files(self._store, run_id, experiment.facts_file)
            if files is None or status not in set(Status):
                del of_config[signature]
            elif signature == wanted or self._has_same_code(signature, files, experiment):
                program = self._program(run_id, files)
                result = experiment.stored_result(Status(status), stored_files(files), program)
                if _is_above_minimum(result, experiment):
                    return run_id, result
                del of_config[signature]
        return None

    def _program(self, run_id: str, files: Mapping[str, bytes]) -> StoredPlan | None:
        """Return the program that a run's descent computed; None if there is none to be had."""
        recorded = json.loads(files[ENVIRONMENT])
        sha256 = program_digest(recorded) if isinstance(recorded, dict) else None
        if sha256 is None:
            return None
        if sha256 not in self._programs:
            self._programs[sha256] = _read_program(self._store, run_id, sha256)
        return self._programs[sha256]

    def _has_same_code(
        self, signature: str, files: Mapping[str, bytes], experiment: Experiment
    ) -> bool:
        """Return whether a run was made by the code that this process has, as far as is known."""
        code = problem_code(experiment.config)
        if code is None:
            return False
        if "-" not in signature:
            if not self._has_warned:
                self._has_warned = True
                terminal.print_warning(
                    "sweep.reuse: takes runs that were recorded without a digest of the "
                    f"user's code; whether {code.path} was the same is not known"
                )
            return True
        recorded = recorded_code(json.loads(files[ENVIRONMENT]))
        return code.digests.keys() <= recorded.keys() and not changed_files(recorded, code)


def _is_above_minimum(result: Result, experiment: Experiment) -> bool:
    """Return False for a result below f* that an earlier version took for converged."""
    if experiment.function is None:
        return True
    minimum = Minimum(experiment.function, result.final.device)
    return not result.converged or minimum.is_above(result.final_loss, result.final)


def _finished_runs(store: Store) -> Iterator[tuple[str, str, str]]:
    """Yield signature, run id and status of finished runs, the earliest first."""
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
            yield tags["gdexp.signature"], run.info.run_id, tags.get("gdexp.status", "")
        token = page.token
        if not token:
            return


def _read_program(store: Store, run_id: str, sha256: str) -> StoredPlan | None:
    """Return a program from a run's own artifacts, or from those of a run above it."""
    from mlflow.exceptions import MlflowException

    above: str | None = run_id
    name = PROGRAM
    while above is not None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(store.client.download_artifacts(above, name, folder))
                return StoredPlan.unpack(read_regular(path, MOST_STORED), sha256)
        except (MlflowException, OSError, ValueError):
            pass
        above = store.client.get_run(above).data.tags.get("mlflow.parentRunId")
        name = program_name(sha256)
    return None


def _read_files(store: Store, run_id: str, facts: str | None) -> dict[str, bytes] | None:
    """Return a run's result and environment; None if a file is missing or not the manifest's.

    Args:
        store: that holds the run.
        run_id: of the run.
        facts: the file that says what belongs to the result of a training; None of a descent.
    """
    from mlflow.exceptions import MlflowException

    files = {}
    try:
        with tempfile.TemporaryDirectory() as folder:

            def read(name: str) -> bytes:
                return Path(store.client.download_artifacts(run_id, name, folder)).read_bytes()

            digests = json.loads(read(MANIFEST))
            arrays = [name for name in digests if name.endswith(".npy")]
            needed = [f"{array}.npy" for array in ARRAYS] if facts is None else [facts]
            wanted = dict.fromkeys([*needed, *arrays])
            for name in (ENVIRONMENT, *wanted):
                files[name] = read(name)
                if hashlib.sha256(files[name]).hexdigest() != digests[name]:
                    return None
                if name.endswith(".npy"):
                    decode_array(files[name])
    except (MlflowException, OSError, ValueError, KeyError):
        return None
    return files
