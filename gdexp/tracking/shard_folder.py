"""The shards of one sweep, among the artifacts of its own run: written, read and put together.

A shard appears whole, and is never changed. Small ones are written anew as larger ones before they
are removed, so a row may be there twice for a while; whoever reads takes the first.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.tracking.artifacts import local_folder
from gdexp.tracking.shard_file import (
    FOLDER,
    MAX_ROWS,
    UNFINISHED,
    DamagedShard,
    ShardReader,
    ShardRow,
    count_rows,
    may_hold,
    read_shard,
    shard_name,
    write_shard,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOSSES = 2**23
"""Losses that a shard holds at most, unless a single row has more."""

SMALL = MAX_ROWS // 4
"""A shard with fewer rows is put together with its neighbours when the sweep ends."""

BYTES = 8 * LOSSES
"""Shards are put together until they take so much memory."""

OPEN = 8
"""Shards that are kept open for reading."""

Reported = Callable[[], AbstractContextManager[None]]
"""Turns the errors of MLflow and of the disk into one line."""


class ShardFolder:
    """The folder of a sweep's shards, here or on a server.

    Args:
        client: of the store that holds the sweep's run.
        run_id: of that run.
        home: URI of its artifacts.
        reported: around every access.
    """

    def __init__(self, client: MlflowClient, run_id: str, home: str, reported: Reported) -> None:
        self._client = client
        self._run_id = run_id
        self._reported = reported
        folder = local_folder(home)
        self._folder = None if folder is None else folder / FOLDER
        self._fetched: tempfile.TemporaryDirectory[str] | None = None
        self._open: OrderedDict[str, ShardReader] = OrderedDict()

    def names(self) -> list[str]:
        """The shards that are there, in the order of the trials in them."""
        with self._reported():
            if self._folder is None:
                listed = self._client.list_artifacts(self._run_id, FOLDER)
                found = [Path(each.path).name for each in listed]
            else:
                found = [each.name for each in self._folder.glob("*.parquet")]
        return sorted(name for name in found if name.endswith(".parquet"))

    def write(self, rows: Sequence[ShardRow]) -> None:
        """Write rows; when this returns they are there, whatever happens next."""
        for part in _parts(rows):
            self._write(part)

    def rows(
        self, trials: Collection[int] | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, ShardRow]]:
        """Rows with the names of their shards, each trial's seed once.

        The arguments are those of `shards.read_shard`.

        Raises:
            DamagedShard: one of the files cannot be read.
        """
        seen: set[tuple[int, int]] = set()
        looked_at: set[str] = set()
        missed: str | None = None
        while True:
            left = [name for name in self.names() if name not in looked_at]
            if missed in left:
                raise DamagedShard(f"{FOLDER}/{missed}: is listed, but is not there")
            for name in left:
                if trials is not None and not any(may_hold(name, trial) for trial in trials):
                    continue
                try:
                    for row in read_shard(self._path(name), trials, columns):
                        if (row.trial, row.seed) not in seen:
                            seen.add((row.trial, row.seed))
                            yield name, row
                except FileNotFoundError:
                    missed = name
                    break  # put together with others meanwhile: those are looked for
                looked_at.add(name)
            else:
                return

    def row(self, name: str, trial: int, seed: int) -> ShardRow | None:
        """One row of one shard; None where that does not have it any more.

        Raises:
            DamagedShard: the file cannot be read.
        """
        shard = self._open.pop(name, None)
        try:
            if shard is None:
                shard = ShardReader(self._path(name))
            found = shard.row(trial, seed)
        except FileNotFoundError:
            return None
        self._open[name] = shard
        while len(self._open) > OPEN:
            self._open.popitem(last=False)[1].close()
        return found

    def tidy(self) -> None:
        """Remove what kills left, and put small shards together. Nobody else may be writing.

        Raises:
            DamagedShard: one of the small files cannot be read; all stay as they are.
        """
        if self._folder is None:
            return  # MLflow's client cannot remove an artifact
        with self._reported():
            for leftover in self._folder.glob(f"*{UNFINISHED}"):
                leftover.unlink(missing_ok=True)
        together: list[Path] = []
        rows = size = 0
        for name in self.names():
            path = self._folder / name
            count, taken = count_rows(path)
            if count >= SMALL:
                continue
            if together and (rows + count > MAX_ROWS or size + taken > BYTES):
                self._join(together)
                together, rows, size = [], 0, 0
            together.append(path)
            rows, size = rows + count, size + taken
        self._join(together)

    def _join(self, paths: Sequence[Path]) -> None:
        if len(paths) < 2:
            return
        rows: dict[tuple[int, int], ShardRow] = {}
        for path in paths:
            for row in read_shard(path):
                rows.setdefault((row.trial, row.seed), row)
        self._write([rows[key] for key in sorted(rows)])
        with self._reported():
            for path in paths:
                path.unlink(missing_ok=True)

    def _write(self, rows: Sequence[ShardRow]) -> None:
        with self._reported():
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_shard(self._folder / shard_name(rows), rows)
                return
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, shard_name(rows))
                write_shard(path, rows)
                self._client.log_artifact(self._run_id, str(path), FOLDER)

    def _path(self, name: str) -> Path:
        """Where a shard lies on this machine, fetched where it is on a server."""
        if self._folder is not None:
            return self._folder / name
        if self._fetched is None:
            self._fetched = tempfile.TemporaryDirectory(prefix="gdexp-")
        path = Path(self._fetched.name, name)
        if not path.exists():
            with self._reported():
                self._client.download_artifacts(
                    self._run_id, f"{FOLDER}/{name}", self._fetched.name
                )
        return path


def _parts(rows: Sequence[ShardRow]) -> Iterator[list[ShardRow]]:
    """Rows for one shard each."""
    part: list[ShardRow] = []
    losses = 0
    for row in rows:
        if part and (len(part) >= MAX_ROWS or losses + len(row.record.trace) > LOSSES):
            yield part
            part, losses = [], 0
        part.append(row)
        losses += len(row.record.trace)
    if part:
        yield part
