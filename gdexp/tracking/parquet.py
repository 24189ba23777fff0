"""Records of many descents in one columnar file (Parquet), for sweeps too large for a run each.

A row holds everything that a run would: params, metrics, tags, the whole trace and every
artifact. Losses are stored in single precision where that loses nothing, as after a descent in
float32; they come back as the same doubles, bit for bit.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gdexp.core import StorageFailed
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.record import Record

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER = "shards"
"""The folder among a sweep's artifacts that its shards lie in."""

ROWS = 1_000
"""Rows of a full shard."""

ROWS_PER_GROUP, LOSSES_PER_GROUP = 100, 2**20
"""Rows that are read at once when one is looked for: so many, or fewer where traces are long."""

UNFINISHED = ".part"
"""How the name of a file ends that is not whole yet."""

TOGETHER = -1
"""The place among its seeds of the row that says what a trial's seeds come to together."""

_TRACE = "trace.npy"


class DamagedShard(StorageFailed):
    """A shard cannot be read."""


@dataclass(frozen=True)
class Row:
    """One descent of a sweep.

    Attributes:
        trial: its number in the study.
        seed: which of the trial's seeds, counted from 0; `TOGETHER` for all of several.
        record: everything that a run of its own would hold, the tags of its opening included.
        started: milliseconds since 1970, when the trial was asked.
    """

    trial: int
    seed: int
    record: Record
    started: int = 0


def shard_name(rows: Sequence[Row]) -> str:
    """A file name that says which trials are inside, and that no other worker gives."""
    numbers = [row.trial for row in rows]
    return f"{min(numbers):08d}-{max(numbers):08d}-{uuid.uuid4().hex[:8]}.parquet"


def may_hold(name: str, trial: int) -> bool:
    """Whether a shard of this name can have rows of a trial."""
    low, high, *_ = Path(name).stem.split("-")
    return int(low) <= trial <= int(high)


def write_shard(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as one file, whole or not at all, and on the disk when this returns.

    Args:
        path: of the new file; its folder must be there.
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
            # The bytes of neighbouring losses are alike place by place, not number by number.
            use_byte_stream_split=["trace.list.element"],
            write_page_checksum=True,
        )
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name too
    finally:
        os.close(folder)


def count_rows(path: Path) -> tuple[int, int]:
    """How many rows a file has, and how many bytes they take in memory.

    Raises:
        DamagedShard: the file cannot be read.
        FileNotFoundError: it is not there any more.
    """
    with _opened(path) as file:
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        return file.metadata.num_rows, sum(group.total_byte_size for group in groups)


def read_shard(
    path: Path, trials: Collection[int] | None = None, columns: Sequence[str] | None = None
) -> Iterator[Row]:
    """The rows of a file in order.

    Args:
        path: of the file.
        trials: numbers that are wanted; None: all.
        columns: of "trace", "artifacts" and "params" those that are wanted; None: all. What is
            not read is empty, which makes looking through metrics alone fast.

    Raises:
        DamagedShard: the file cannot be read.
        FileNotFoundError: it is not there any more.
    """
    wanted = ["trial", "seed", "started", "metrics", "tags"]
    wanted += ["params", "trace", "artifacts", "environment"] if columns is None else [*columns]
    if "artifacts" in wanted and "environment" not in wanted:
        wanted.append("environment")
    with _opened(path) as file:
        for group in range(file.num_row_groups):
            if trials is not None and not _overlaps(file, group, trials):
                continue
            table = file.read_row_group(group, columns=wanted)
            for row in _rows(table):
                if trials is None or row.trial in trials:
                    yield row


class Shard:
    """An open file, of which single rows are read; the group that was read last is kept.

    Args:
        path: of the file.

    Raises:
        DamagedShard: it cannot be read.
        FileNotFoundError: it is not there any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closing = ExitStack()
        self._file = self._closing.enter_context(_opened(path))
        self._group: tuple[int, pa.Table] | None = None

    def row(self, trial: int, seed: int) -> Row | None:
        """The first row of a trial's seed; None where there is none.

        Raises:
            DamagedShard: it cannot be read.
        """
        with _reported(self._path):
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
        """Let go of the file."""
        self._group = None
        self._closing.close()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from pyarrow import parquet as pq

    with _reported(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield file


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """What is wrong with a file in one line; that it is gone stays `FileNotFoundError`."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise DamagedShard(
            f"{FOLDER}/{path.name}: cannot be read ({reason[0]}); put a copy in its place"
        ) from error


def _overlaps(file: Any, group: int, trials: Collection[int]) -> bool:  # noqa: ANN401
    """Whether a group of rows can hold one of the trials, by what the file says of it."""
    statistics = file.metadata.row_group(group).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return any(statistics.min <= trial <= statistics.max for trial in trials)


def _table(rows: Sequence[Row]) -> pa.Table:
    import pyarrow as pa

    lengths = [len(row.record.trace) for row in rows]
    losses: npt.NDArray[Any] = np.concatenate([r.record.trace for r in rows]).astype(np.float64)
    with np.errstate(over="ignore"):
        single = losses.astype(np.float32)
    if np.array_equal(single.astype(np.float64).view(np.uint64), losses.view(np.uint64)):
        losses = single
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    kept = [
        {k: v for k, v in row.record.artifacts.items() if k not in (_TRACE, "environment.json")}
        for row in rows
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


def _rows(table: pa.Table) -> Iterator[Row]:
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
        if traces is not None and "artifacts" in names:
            artifacts[_TRACE] = encode_array(trace)
        record = Record(
            params=dict(found.get("params") or ()),
            metrics={k: float(v) for k, v in found["metrics"]},
            trace=trace,
            tags=dict(found["tags"]),
            artifacts=artifacts,
        )
        yield Row(found["trial"], found["seed"], record, found["started"])
