"""A shard: one Parquet file with the records of many descents of a large sweep.

A row holds everything that a run holds: params, metrics, tags, the whole trace and every artifact.
Losses are stored in single precision where this changes no bit, as after a descent in float32.
They are read back as the same doubles.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gdexp.core import open_regular, sync_folder
from gdexp.tracking.record import Record
from gdexp.tracking.shard_limits import check_limits
from gdexp.tracking.shard_row import ShardRow, shard_errors

if TYPE_CHECKING:
    import pyarrow as pa

MAX_ROWS = 1_000
"""Most rows of a shard."""

ROWS_PER_GROUP, LOSSES_PER_GROUP = 100, 2**20
"""Most rows and losses that are read together to find one row; a row is never split."""

UNFINISHED = ".part"
"""Suffix of a file that is still being written."""

_NAME = re.compile(r"[0-9]{8,15}-[0-9]{8,15}-[0-9a-f]{8}\.parquet")

MOST_BYTES = 1 << 32
"""The largest file that is read, in bytes."""


def shard_name(rows: Sequence[ShardRow]) -> str:
    """Return a new file name with the first and last trial in it; no other worker chooses it."""
    numbers = [row.trial for row in rows]
    return f"{min(numbers):08d}-{max(numbers):08d}-{uuid.uuid4().hex[:8]}.parquet"


def is_shard_name(name: str) -> bool:
    """Return whether a file has a name of `shard_name`."""
    return _NAME.fullmatch(name) is not None


def may_hold(name: str, trial: int) -> bool:
    """Return whether a shard with this name can hold rows of a trial."""
    low, high, _ = name.split("-")
    return int(low) <= trial <= int(high)


def write_shard(path: Path, rows: Sequence[ShardRow]) -> None:
    """Write rows as one file: whole or not at all, and synced to the disk.

    Args:
        path: the new file; its folder must exist.
        rows: at least one.
    """
    from pyarrow import parquet as pq

    table = _table(rows)
    losses = sum(len(row.record.trace) for row in rows)
    fitting = LOSSES_PER_GROUP * len(rows) // max(losses, 1)
    unfinished = path.with_suffix(UNFINISHED)
    with unfinished.open("wb") as file:
        pq.write_table(
            table,
            file,
            row_group_size=min(max(fitting, 1), ROWS_PER_GROUP),
            compression="zstd",
            use_dictionary=["environment"],
            # Neighbouring losses have similar bytes at equal places, so split them by place.
            use_byte_stream_split=["trace.list.element"],
            write_page_checksum=True,
        )
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def count_rows(path: Path) -> tuple[int, int]:
    """Return how many rows a file has, and how many bytes they take in memory.

    Raises:
        DamagedShard: the file cannot be read.
        FileNotFoundError: the file does not exist any more.
    """
    with _open(path) as file:
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        return file.metadata.num_rows, sum(group.total_byte_size for group in groups)


def read_shard(
    path: Path, trials: Collection[int] | None = None, columns: Sequence[str] | None = None
) -> Iterator[ShardRow]:
    """Read the rows of a file in order.

    Args:
        path: the file.
        trials: the numbers of the trials to read; None is all.
        columns: which of "trace", "artifacts" and "params" to read; None is all. The others stay
            empty: to read metrics alone is fast.

    Raises:
        DamagedShard: the file cannot be read.
        FileNotFoundError: it is not there any more.
    """
    wanted = ["trial", "seed", "started", "metrics", "tags"]
    wanted += ["params", "trace", "artifacts", "environment"] if columns is None else [*columns]
    if "artifacts" in wanted and "environment" not in wanted:
        wanted.append("environment")
    with _open(path) as file:
        for group in range(file.num_row_groups):
            if trials is not None and not _overlaps(file, group, trials):
                continue
            table = file.read_row_group(group, columns=wanted)
            if trials is not None:
                table = table.filter(np.isin(table.column("trial").to_numpy(), [*trials]))
            for row in _rows(table):
                if columns is None:
                    row.check_manifest()
                yield row


class ShardReader:
    """An open file for reading single rows. It keeps the row group that it read last.

    Args:
        path: the file.

    Raises:
        DamagedShard: the file cannot be read.
        FileNotFoundError: the file does not exist any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closing = ExitStack()
        self._file = self._closing.enter_context(_open(path))
        self._group: tuple[int, pa.Table] | None = None

    def row(self, trial: int, seed: int) -> ShardRow | None:
        """Return the first row of a trial's seed; None where there is none.

        Raises:
            DamagedShard: the file cannot be read.
        """
        with _errors(self._path):
            for group in range(self._file.num_row_groups):
                if not _overlaps(self._file, group, {trial}):
                    continue
                if self._group is None or self._group[0] != group:
                    self._group = group, self._file.read_row_group(group)
                table = self._group[1]
                numbers = table.column("trial").to_numpy(), table.column("seed").to_numpy()
                (places,) = np.nonzero((numbers[0] == trial) & (numbers[1] == seed))
                if len(places):
                    return next(_rows(table.slice(int(places[0]), 1)))
        return None

    def close(self) -> None:
        """Close the file."""
        self._group = None
        self._closing.close()


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    from pyarrow import parquet as pq

    with (
        _errors(path),
        open_regular(path, MOST_BYTES, [path.parent]) as content,
        pq.ParquetFile(content, page_checksum_verification=True) as file,
    ):
        check_limits(file)
        yield file


def _errors(path: Path) -> AbstractContextManager[None]:
    import pyarrow as pa

    return shard_errors(path, pa.ArrowException)


def _overlaps(file: Any, group: int, trials: Collection[int]) -> bool:  # noqa: ANN401
    """Return whether a row group can hold one of the trials, by the file's statistics."""
    statistics = file.metadata.row_group(group).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return any(statistics.min <= trial <= statistics.max for trial in trials)


def _table(rows: Sequence[ShardRow]) -> pa.Table:
    import pyarrow as pa

    lengths = [len(row.record.trace) for row in rows]
    losses: npt.NDArray[Any] = np.concatenate([r.record.trace for r in rows]).astype(np.float64)
    with np.errstate(over="ignore"):
        single = losses.astype(np.float32)
    if np.array_equal(single.astype(np.float64).view(np.uint64), losses.view(np.uint64)):
        losses = single
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    kept = [
        {k: v for k, v in row.stored_files().items() if k != "environment.json"} for row in rows
    ]
    texts = pa.map_(pa.string(), pa.string())
    return pa.table(
        {
            "trial": pa.array([row.trial for row in rows], pa.int64()),
            "seed": pa.array([row.seed for row in rows], pa.int64()),
            "started": pa.array([row.started for row in rows], pa.int64()),
            "metrics": pa.array(
                [list(row.record.metrics.items()) for row in rows],
                pa.map_(pa.string(), pa.float64()),
            ),
            "params": pa.array([list(row.record.params.items()) for row in rows], texts),
            "tags": pa.array([list(row.record.tags.items()) for row in rows], texts),
            "environment": pa.array(
                [row.record.artifacts.get("environment.json") for row in rows], pa.binary()
            ),
            "artifacts": pa.array(
                [list(each.items()) for each in kept], pa.map_(pa.string(), pa.binary())
            ),
            "trace": pa.LargeListArray.from_arrays(offsets, pa.array(losses)),
        }
    )


def _rows(table: pa.Table) -> Iterator[ShardRow]:
    names = set(table.column_names)
    flat = table.drop_columns(["trace"]).to_pylist() if "trace" in names else table.to_pylist()
    traces = table.column("trace").combine_chunks() if "trace" in names else None
    for at, found in enumerate(flat):
        trace = np.empty(0)
        if traces is not None:
            trace = traces[at].values.to_numpy(zero_copy_only=False).astype(np.float64)
        artifacts: dict[str, bytes] = dict(found.get("artifacts") or ())
        if found.get("environment") is not None:
            artifacts["environment.json"] = found["environment"]
        yield ShardRow.of_stored(
            [found[name] for name in ("trial", "seed", "started")],
            Record(
                params=dict(found.get("params") or ()),
                metrics={k: float(v) for k, v in found["metrics"]},
                trace=trace,
                tags=dict(found["tags"]),
                artifacts=artifacts,
            ),
            whole=traces is not None and "artifacts" in names,
        )
