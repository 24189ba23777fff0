"""The folder of one sweep's shards, among the artifacts of the sweep's run.

A shard appears whole and never changes. Single rows are appended to a file of rows, which becomes a
shard when it is full and when the sweep ends. Small shards are merged into larger ones, which are
written before the small ones are removed. So a row may exist twice for a while; readers take the
first.
"""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.tracking.artifact_address import local_folder
from gdexp.tracking.row_file import (
    RowFile,
    RowFileReader,
    is_for_single_rows,
    is_row_file,
    read_row_file,
    row_count,
)
from gdexp.tracking.shard_file import (
    MAX_ROWS,
    UNFINISHED,
    ShardReader,
    count_rows,
    is_shard_name,
    may_hold,
    read_shard,
    shard_name,
    write_shard,
)
from gdexp.tracking.shard_row import FOLDER, DamagedShard, ShardRow

if TYPE_CHECKING:
    from mlflow import MlflowClient

MAX_LOSSES = 2**23
"""Most losses of a shard, unless a single row has more."""

SMALL = MAX_ROWS // 4
"""Shards with fewer rows are merged when the sweep ends."""

MAX_BYTES = 8 * MAX_LOSSES
"""Most bytes in memory of the shards that are merged into one."""

MAX_OPEN = 8
"""Most shards that stay open for reading."""

OneLineErrors = Callable[[], AbstractContextManager[None]]
"""A context that turns errors of MLflow and of the disk into one line."""


class ShardFolder:
    """Reads and writes the shards of a sweep, in a local folder or on a server.

    Args:
        client: returns a client of the store that holds the sweep's run; called for servers only.
        run_id: the id of that run.
        home: the absolute address of its artifacts.
        one_line_errors: the context for every access.
    """

    def __init__(
        self,
        client: Callable[[], MlflowClient],
        run_id: str,
        home: str,
        one_line_errors: OneLineErrors,
    ) -> None:
        self._client = client
        self._run_id = run_id
        self._one_line_errors = one_line_errors
        folder = local_folder(home)
        self._folder = None if folder is None else folder / FOLDER
        self._fetched: tempfile.TemporaryDirectory[str] | None = None
        self._open: OrderedDict[str, ShardReader | RowFileReader] = OrderedDict()
        self._growing: RowFile | None = None

    def names(self) -> list[str]:
        """Return the names of the shards, in the order of their trials; then the files of rows."""
        with self._one_line_errors():
            if self._folder is None:
                listed = self._client().list_artifacts(self._run_id, FOLDER)
                found = [Path(each.path).name for each in listed]
            else:
                found = [each.name for each in self._folder.glob("*.*")]
        shards = sorted(filter(is_shard_name, found))
        return shards + sorted(filter(is_row_file, found))

    def write(self, rows: Sequence[ShardRow]) -> None:
        """Write rows; they are on the disk, or on the server, when this returns."""
        if self._folder is not None and rows and is_for_single_rows(rows):
            self._append(self._folder, rows)
            return
        for part in _parts(rows):
            self._write(part)

    def rows(
        self, trials: Collection[int] | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[str, ShardRow]]:
        """Read rows with the names of their shards, each seed of a trial once.

        The arguments are those of `shard_file.read_shard`.

        Raises:
            DamagedShard: one of the files cannot be read.
        """
        seen: set[tuple[int, int]] = set()
        read: set[str] = set()
        missed: str | None = None
        while True:
            left = [name for name in self.names() if name not in read]
            if missed in left:
                raise DamagedShard(f"{FOLDER}/{missed}: is listed, but is not there")
            for name in left:
                if trials is not None and not _may_hold(name, trials):
                    continue
                try:
                    for row in _rows_of(self._path(name), trials, columns):
                        if (row.trial, row.seed) not in seen:
                            seen.add((row.trial, row.seed))
                            yield name, row
                except FileNotFoundError:
                    missed = name
                    break  # it was merged meanwhile: list the shards again
                read.add(name)
            else:
                return

    def row(self, name: str, trial: int, seed: int) -> ShardRow | None:
        """Read one row of one shard; None where the shard does not hold it any more.

        Raises:
            DamagedShard: the file cannot be read.
        """
        shard = self._open.pop(name, None)
        try:
            if shard is None:
                shard = (RowFileReader if is_row_file(name) else ShardReader)(self._path(name))
            found = shard.row(trial, seed)
        except FileNotFoundError:
            return None
        self._open[name] = shard
        while len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)[1].close()
        return found

    def tidy(self) -> None:
        """Remove unfinished files, and merge files of rows and small shards.

        No other process may write meanwhile.

        Raises:
            DamagedShard: a small file cannot be read. Then no file changes.
        """
        if self._folder is None:
            return  # MLflow's client cannot remove an artifact
        with self._one_line_errors():
            for leftover in self._folder.glob(f"*{UNFINISHED}"):
                leftover.unlink(missing_ok=True)
        small: list[Path] = []
        rows = size = 0
        for name in self.names():
            path = self._folder / name
            count, taken = (row_count if is_row_file(name) else count_rows)(path)
            if count >= SMALL and not is_row_file(name):
                continue
            if small and (rows + count > MAX_ROWS or size + taken > MAX_BYTES):
                self._join(small)
                small, rows, size = [], 0, 0
            small.append(path)
            rows, size = rows + count, size + taken
        self._join(small)

    def _join(self, paths: Sequence[Path]) -> None:
        """Write the rows of files as one shard, or few; a single shard stays as it is."""
        if not paths or (len(paths) == 1 and not is_row_file(paths[0].name)):
            return
        rows: dict[tuple[int, int], ShardRow] = {}
        for path in paths:
            for row in _rows_of(path):
                rows.setdefault((row.trial, row.seed), row)
        for part in _parts([rows[key] for key in sorted(rows)]):
            self._write(part)
        with self._one_line_errors():
            for path in paths:
                path.unlink(missing_ok=True)

    def _append(self, folder: Path, rows: Sequence[ShardRow]) -> None:
        growing, self._growing = self._growing, None
        if growing is None or not growing.takes_more:
            growing = RowFile(folder)
        with self._one_line_errors():
            growing.append(rows)
        if growing.is_full:
            self._join([growing.path])
        else:
            self._growing = growing  # after an error a new one is begun

    def _write(self, rows: Sequence[ShardRow]) -> None:
        with self._one_line_errors():
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                write_shard(self._folder / shard_name(rows), rows)
                return
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, shard_name(rows))
                write_shard(path, rows)
                self._client().log_artifact(self._run_id, str(path), FOLDER)

    def _path(self, name: str) -> Path:
        """Return the path of a shard on this machine; download it from a server first."""
        if self._folder is not None:
            return self._folder / name
        if self._fetched is None:
            self._fetched = tempfile.TemporaryDirectory(prefix="gdexp-")
        path = Path(self._fetched.name, name)
        if not path.exists():
            with self._one_line_errors():
                self._client().download_artifacts(
                    self._run_id, f"{FOLDER}/{name}", self._fetched.name
                )
        return path


def _rows_of(
    path: Path, trials: Collection[int] | None = None, columns: Sequence[str] | None = None
) -> Iterator[ShardRow]:
    """Read the rows of a file of either kind; see `read_shard`."""
    return (read_row_file if is_row_file(path.name) else read_shard)(path, trials, columns)


def _may_hold(name: str, trials: Collection[int]) -> bool:
    """Return whether a file with this name can hold rows of some trials."""
    return is_row_file(name) or any(may_hold(name, trial) for trial in trials)


def _parts(rows: Sequence[ShardRow]) -> Iterator[list[ShardRow]]:
    """Split rows into parts for one shard each."""
    part: list[ShardRow] = []
    losses = 0
    for row in rows:
        if part and (len(part) >= MAX_ROWS or losses + len(row.record.trace) > MAX_LOSSES):
            yield part
            part, losses = [], 0
        part.append(row)
        losses += len(row.record.trace)
    if part:
        yield part
