"""Trials that are stored as rows of their sweep's shards, loaded as runs.

The files of such a run are read from the shard when they are first used.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import BinaryIO

from gdexp.core import StorageFailed, printable_line
from gdexp.runs.artifact_reader import ArtifactReader, UnreadableRun
from gdexp.runs.manifest import size_limit
from gdexp.runs.stored_texts import bounded_texts
from gdexp.runs.tracked_run import TrackedRun
from gdexp.tracking import ALL_SEEDS, ShardFolder, ShardRow

CHILDREN_TAG = "gdexp.children"
"""The tag of a parent run whose trials are rows of shards."""

ROWS_KEPT = 16
"""Rows in the cache: the arrays of a run are mostly read together."""


class RowReader(ArtifactReader):
    """Reads from the shards of a sweep what would be the artifacts of a trial's run.

    Args:
        shards: the shards of the sweep.
        verify: as for `ArtifactReader`.
    """

    def __init__(self, shards: ShardFolder, verify: bool = True) -> None:
        super().__init__(verify=verify)
        self._shards = shards
        self._shard_names: dict[tuple[int, int], str] = {}
        self._cache: OrderedDict[tuple[int, int], ShardRow] = OrderedDict()

    def metric_rows(self, trials: Collection[int] | None) -> Iterator[ShardRow]:
        """Yield rows with metrics and tags only, and remember the shard of each.

        Args:
            trials: the trial numbers to read; None: all.

        Raises:
            DamagedShard: one of the files cannot be read.
        """
        for name, row in self._shards.rows(trials, columns=()):
            self._shard_names[row.trial, row.seed] = name
            yield row

    def row(self, run_id: str) -> ShardRow:
        """Return the complete row of a run.

        Raises:
            UnreadableRun: the row is gone, or its shard is damaged.
        """
        trial, seed = self._key(run_id)
        found = self._cache.get((trial, seed))
        if found is not None:
            return found
        try:
            name = self._shard_names.get((trial, seed), "")
            found = self._shards.row(name, trial, seed) if name else None
            if found is None:  # its shard was merged with others since then
                for _ in self.metric_rows({trial}):
                    pass
                name = self._shard_names.get((trial, seed), "")
                found = self._shards.row(name, trial, seed) if name else None
        except StorageFailed as error:
            raise UnreadableRun(str(error)) from None
        if found is None:
            raise UnreadableRun("is no longer among the shards of its sweep")
        self._cache[trial, seed] = found
        while len(self._cache) > ROWS_KEPT:
            self._cache.popitem(last=False)
        return found

    @contextmanager
    def _open(self, run_id: str, home: str, name: str) -> Iterator[BinaryIO]:
        row = self.row(run_id)
        content = row.sealed().get(name)
        if content is None:
            raise FileNotFoundError(name)
        if len(content) > size_limit(name):
            raise ValueError(f"is larger than {size_limit(name):,} bytes")
        with tempfile.TemporaryFile(prefix="gdexp-") as file:
            file.write(content)
            file.seek(0)
            yield file

    def _key(self, run_id: str) -> tuple[int, int]:
        _, trial, *seed = run_id.split("/")
        if seed:
            return int(trial), int(seed[0])
        together = int(trial), ALL_SEEDS
        return together if together in self._shard_names else (int(trial), 0)


class _Params(Mapping[str, str]):
    """The params of a row, read on first use."""

    def __init__(self, files: RowReader, run_id: str) -> None:
        self._files = files
        self._run_id = run_id

    @cached_property
    def _params(self) -> Mapping[str, str]:
        return self._files.row(self._run_id).record.params

    def __getitem__(self, key: str) -> str:
        return self._params[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)


def _metrics(metrics: Mapping[str, float], interned: dict[str, str]) -> dict[str, float]:
    """Return the metrics as MLflow has them: with the last loss as `loss`."""
    found = {interned.setdefault(key, key): value for key, value in metrics.items()}
    return found | {"loss": found["final_loss"]} if "final_loss" in found else found


def runs_of_rows(
    parent: TrackedRun,
    shards: ShardFolder,
    minima: dict[tuple[tuple[str, str], ...], float | None],
    trials: Collection[int] | None = None,
    verify: bool = True,
) -> list[TrackedRun]:
    """Load the descents of a sweep that are rows, sorted by trial and seed.

    Args:
        parent: the parent run of the sweep.
        shards: the shards of the sweep.
        minima: cache of f* by problem, shared by all runs of a loader.
        trials: the trial numbers to load; None: all.
        verify: as for `ArtifactReader`.

    Raises:
        DamagedShard: one of the files cannot be read.
    """
    files = RowReader(shards, verify)
    interned: dict[str, str] = {}  # many rows share the same texts
    found = {}
    for row in files.metric_rows(trials):
        tags = {
            interned.setdefault(key, key): interned.setdefault(value, value)
            for key, value in bounded_texts(row.record.tags).items()
        }
        kind = tags.get("gdexp.kind", "")
        if row.seed == ALL_SEEDS:
            continue
        run_id = f"{parent.run_id}/{row.trial}" + (f"/{row.seed}" if kind == "seed" else "")
        found[row.trial, row.seed] = TrackedRun(
            run_id=run_id,
            name=printable_line(tags.get("mlflow.runName", "")),
            kind=kind,
            state="FINISHED",
            params=_Params(files, run_id),
            metrics=_metrics(row.record.metrics, interned),
            tags=tags,
            trial=row.trial,
            parent=tags.get("mlflow.parentRunId"),
            started=row.started,
            experiment_id=parent.experiment_id,
            home=parent.home,
            _files=files,
            _minima=minima,
            _above=lambda _: parent,
        )
    return [found[key] for key in sorted(found)]
