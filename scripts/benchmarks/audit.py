"""What a sweep left, looked at from outside: with SQLite, Optuna and NumPy alone."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import numpy as np

from .studies import loaded

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Audit:
    """A study beside the runs of it.

    Attributes:
        lost: finished trials that are missing, or whose finished run is.
        twice: trials or parameters more than once: runs finished beside the one that counts,
            trials beyond those that were asked for.
        running: trials and runs that wait or run although nobody works on them.
        damaged: in words, runs whose files, manifest, losses and value do not agree.
        told: parameters and values in order, equal when two sweeps are.
    """

    lost: int
    twice: int
    running: int
    damaged: list[str] = field(default_factory=list)
    told: list[tuple[dict[str, Any], list[float]]] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.running or self.damaged)


def audit(journal: Path, database: Path, n: int, name: str = "s") -> Audit:
    """Look at a study that has ended.

    Args:
        journal: of the study.
        database: that MLflow keeps the runs in.
        n: finished trials that it is to have.
        name: of the study.
    """
    trials = loaded(journal, name).get_trials()
    done = [trial for trial in trials if trial.state.name == "COMPLETE"]
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        runs = _Runs(connection, name, database.parent)
    finished = Counter(number for number, _ in runs.of_trials("FINISHED"))
    recorded = {trial.user_attrs["gdexp.record"]["run_id"] for trial in done}
    whole = [run_id for _, run_id in runs.of_trials("FINISHED") if run_id in recorded]
    missing = max(n - len(done), 0) + len(done) - len(whole)
    left = sum(trial.state.name in ("RUNNING", "WAITING") for trial in trials)
    return Audit(
        lost=missing,
        twice=max(len(done) - n, 0) + finished.total() - len(whole),
        running=left + runs.running(),
        damaged=[wrong for trial in done for wrong in runs.faults(trial)],
        told=[(trial.params, trial.values) for trial in done],
    )


class _Runs:
    """The runs of a study as they stand in MLflow's tables.

    Args:
        connection: to the database.
        name: of the study.
        folder: of the database; relative addresses begin there.
    """

    def __init__(self, connection: sqlite3.Connection, name: str, folder: Path) -> None:
        self._folders: dict[str, Path] = {}
        self._status: dict[str, str] = {}
        query = (
            "SELECT r.run_uuid, r.status, r.artifact_uri FROM runs r JOIN tags t USING(run_uuid)"
        )
        for run_id, status, uri in connection.execute(
            f"{query} WHERE t.key = 'gdexp.study' AND t.value = ?", (name,)
        ):
            self._status[run_id] = status
            parts = urlsplit(uri)
            path = unquote(parts.path)
            of_server = parts.scheme == "mlflow-artifacts"
            served = folder / "mlartifacts" / path.lstrip("/")
            self._folders[run_id] = served if of_server else folder / path
        self._tags = self._pairs(connection, "SELECT run_uuid, key, value FROM tags")
        self._metrics = self._pairs(connection, "SELECT run_uuid, key, value FROM latest_metrics")
        self._losses: dict[str, list[float]] = {run_id: [] for run_id in self._status}
        for run_id, value, wrong in connection.execute(
            "SELECT run_uuid, value, is_nan FROM metrics WHERE key = 'loss' ORDER BY step, run_uuid"
        ):
            if run_id in self._losses:
                self._losses[run_id].append(float("nan") if wrong else value)

    def of_trials(self, status: str) -> list[tuple[str, str]]:
        """The number and the id of the runs of trials that have a status."""
        return [
            (self._tags[run_id]["gdexp.trial"], run_id)
            for run_id, its in self._status.items()
            if its == status and self._tags[run_id]["gdexp.kind"] == "trial"
        ]

    def running(self) -> int:
        """How many are RUNNING."""
        return sum(status == "RUNNING" for status in self._status.values())

    def faults(self, trial: FrozenTrial) -> list[str]:
        """What is wrong with the runs of a trial: its own, and with several seeds one for each."""
        run_id = str(trial.user_attrs["gdexp.record"]["run_id"])
        if run_id not in self._status:
            return [f"trial {trial.number}: no run {run_id}"]
        seeds = [
            other
            for other, tags in self._tags.items()
            if tags.get("mlflow.parentRunId") == run_id and self._status.get(other) == "FINISHED"
        ]
        wrong = [fault for each in seeds or [run_id] for fault in self._descent(each)]
        if self._status[run_id] == "FINISHED":
            wrong += _manifest(self._folders[run_id])
        if self._tags[run_id].get("gdexp.trial") != str(trial.number):
            wrong.append("is the run of another trial")
        if trial.values is None or self._metrics[run_id].get("hitting_time") != trial.values[0]:
            wrong.append("was told another hitting time than its run has")
        return [f"trial {trial.number}, run {run_id}: {each}" for each in wrong]

    def _descent(self, run_id: str) -> list[str]:
        """Whether a descent's trace is whole, and the same in the record and in the metrics."""
        wrong = _manifest(self._folders[run_id])
        if wrong:
            return wrong
        trace = np.load(self._folders[run_id] / "trace.npy", allow_pickle=False)
        if len(trace) != self._metrics[run_id]["iterations"] + 1:
            wrong.append(f"{len(trace)} losses of {self._metrics[run_id]['iterations']} iterations")
        shown = np.nan_to_num(trace, nan=np.nan, posinf=np.finfo(np.float64).max)
        if not np.array_equal(shown, self._losses[run_id], equal_nan=True):
            wrong.append("other losses in MLflow than in its trace.npy")
        return wrong

    def _pairs(self, connection: sqlite3.Connection, query: str) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {run_id: {} for run_id in self._status}
        for run_id, key, value in connection.execute(query):
            if run_id in found:
                found[run_id][key] = value
        return found


def _manifest(folder: Path) -> list[str]:
    """The files of a run that are not what its manifest says."""
    path = folder / "manifest.json"
    if not path.exists():
        return ["no manifest"]
    wrong = []
    for name, digest in json.loads(path.read_bytes()).items():
        file = folder / name
        content = file.read_bytes() if file.exists() else b""
        if hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"{name} is not what the manifest says")
        elif name.endswith(".npy"):
            np.load(io.BytesIO(content), allow_pickle=False)
    return wrong
