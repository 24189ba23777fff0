"""Trials of a sweep that are rows of its shards, read back as runs; their files when asked for."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from gdexp.core import StorageFailed
from gdexp.runs.files import Files, Unreadable
from gdexp.runs.run import TrackedRun
from gdexp.runs.stored_config import printable
from gdexp.tracking import ALL_SEEDS, MANIFEST, ShardFolder, ShardRow

T = TypeVar("T")

CHILDREN = "gdexp.children"
"""The tag of a sweep's run that says that there are rows."""

KEPT = 16
"""Rows that are kept once they were read: a run's arrays are mostly asked for together."""


class RowFiles(Files):
    """Reads what would be artifacts of a trial's run out of the sweep's shards.

    Args:
        shards: of the sweep.
    """

    def __init__(self, shards: ShardFolder) -> None:
        self._shards = shards
        self._places: dict[tuple[int, int], str] = {}
        self._kept: OrderedDict[tuple[int, int], ShardRow] = OrderedDict()

    def light(self, trials: Collection[int] | None) -> Iterator[ShardRow]:
        """Rows with metrics and tags only; where each lies is remembered.

        Args:
            trials: numbers that are wanted; None: all.

        Raises:
            DamagedShard: one of the files cannot be read.
        """
        for name, row in self._shards.rows(trials, columns=()):
            self._places[row.trial, row.seed] = name
            yield row

    def row(self, run_id: str) -> ShardRow:
        """The whole row that an id names.

        Raises:
            Unreadable: it is not there any more, or its shard is damaged.
        """
        trial, seed = self._key(run_id)
        found = self._kept.get((trial, seed))
        if found is not None:
            return found
        try:
            name = self._places.get((trial, seed), "")
            found = self._shards.row(name, trial, seed) if name else None
            if found is None:  # its shard was put together with others meanwhile
                for _ in self.light({trial}):
                    pass
                name = self._places.get((trial, seed), "")
                found = self._shards.row(name, trial, seed) if name else None
        except StorageFailed as error:
            raise Unreadable(str(error)) from None
        if found is None:
            raise Unreadable("is no longer among the shards of its sweep")
        self._kept[trial, seed] = found
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def read(self, run_id: str, home: str, name: str, parse: Callable[[Path], T]) -> T:
        """One artifact, parsed; see `Files.read`."""
        record = self.row(run_id).record
        content = (record.sealed() if name == MANIFEST else record.artifacts).get(name)
        if content is None:
            raise Unreadable(f"holds no {name}")
        with tempfile.TemporaryDirectory(prefix="gdexp-") as folder:
            Path(folder, name).write_bytes(content)
            return super().read(run_id, folder, name, parse)

    def _key(self, run_id: str) -> tuple[int, int]:
        _, trial, *seed = run_id.split("/")
        if seed:
            return int(trial), int(seed[0])
        together = int(trial), ALL_SEEDS
        return together if together in self._places else (int(trial), 0)


class _Params(Mapping[str, str]):
    """The params of a row, read when they are first asked for."""

    def __init__(self, files: RowFiles, run_id: str) -> None:
        self._files = files
        self._run_id = run_id
        self._known: Mapping[str, str] | None = None

    def _read(self) -> Mapping[str, str]:
        if self._known is None:
            self._known = self._files.row(self._run_id).record.params
        return self._known

    def __getitem__(self, key: str) -> str:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


def _metrics(metrics: Mapping[str, float], words: dict[str, str]) -> dict[str, float]:
    """The single numbers, and the last loss, which MLflow has among them."""
    found = {words.setdefault(key, key): value for key, value in metrics.items()}
    return found | {"loss": found["final_loss"]} if "final_loss" in found else found


def rows_of(
    parent: TrackedRun,
    shards: ShardFolder,
    minima: dict[tuple[tuple[str, str], ...], float | None],
    trials: Collection[int] | None = None,
) -> list[TrackedRun]:
    """The descents of a sweep that are rows, in the order of the trials and their seeds.

    Args:
        parent: the sweep's own run.
        shards: of the sweep.
        minima: what is known of the problems' minima, shared by all runs of a shelf.
        trials: numbers that are wanted; None: all.

    Raises:
        DamagedShard: one of the files cannot be read.
    """
    files = RowFiles(shards)
    words: dict[str, str] = {}  # a text that many rows share is held once
    found = {}
    for row in files.light(trials):
        tags = {words.setdefault(k, k): words.setdefault(v, v) for k, v in row.record.tags.items()}
        kind = tags.get("gdexp.kind", "")
        if row.seed == ALL_SEEDS:
            continue
        run_id = f"{parent.run_id}/{row.trial}" + (f"/{row.seed}" if kind == "seed" else "")
        found[row.trial, row.seed] = TrackedRun(
            run_id=run_id,
            name=printable(tags.get("mlflow.runName", "")),
            kind=kind,
            state="FINISHED",
            params=_Params(files, run_id),
            metrics=_metrics(row.record.metrics, words),
            tags=tags,
            trial=row.trial,
            parent=tags.get("mlflow.parentRunId"),
            started=row.started,
            experiment_id=parent.experiment_id,
            home=parent.home,
            _files=files,
            _minima=minima,
        )
    return [found[key] for key in sorted(found)]
