"""What a shard would take in memory is known before its values are read; its rows are checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from gdexp.tracking import shard_limits
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.record import MANIFEST
from gdexp.tracking.shard_file import (
    ShardReader,
    is_shard_name,
    read_shard,
    shard_name,
    write_shard,
)
from gdexp.tracking.shard_row import ALL_SEEDS, DamagedShard, ShardRow
from tests.tracking.test_parquet import made

ROWS = [ShardRow(0, 0, made([1.0, 0.5, 0.25]))]


def table() -> pa.Table:
    """The table of a shard."""
    from gdexp.tracking.shard_file import _table

    return _table(ROWS)


def with_column(name: str, values: Any) -> pa.Table:
    found = table()
    return found.set_column(found.column_names.index(name), name, values)


def losses(length: int) -> pa.Table:
    """One row with so many losses, all zero."""
    values = pa.array(np.zeros(length))
    return with_column("trace", pa.LargeListArray.from_arrays(pa.array([0, length]), values))


def texts(count: int, length: int) -> pa.Table:
    """So many rows that share one long text."""
    long = pa.array([b"x" * length] * count, pa.binary())
    rows = pa.concat_tables([table()] * count).combine_chunks()
    return rows.set_column(rows.column_names.index("environment"), "environment", long)


HOSTILE: dict[str, tuple[Callable[[], pa.Table], dict[str, Any], str]] = {
    "zeros": (lambda: losses(1_000_000), {"compression": "zstd"}, "bytes in memory"),
    "one text for all": (
        lambda: texts(50, 100_000),
        {"use_dictionary": ["environment"]},
        "bytes in",
    ),
    "rows": (lambda: pa.concat_tables([table()] * 101), {}, "more than 100"),
    "a dictionary": (table, {"use_dictionary": ["trace.list.element"]}, "unknown encoding"),
    "text for numbers": (lambda: with_column("trial", pa.array(["0"])), {}, "is of the type"),
    "no losses": (lambda: table().drop_columns(["trace"]), {}, "has no column trace"),
    "no trial": (lambda: with_column("trial", pa.array([None], pa.int64())), {}, "cannot be read"),
    "a trial below 0": (lambda: with_column("trial", pa.array([-5])), {}, "holds trial -5"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_shard_is_refused_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are lowered, or the test itself would need gigabytes."""
    assert shard_limits.MOST_GROUP <= 1 << 30
    monkeypatch.setattr(shard_limits, "MOST_GROUP", 1 << 20)
    monkeypatch.setattr(shard_limits, "MOST_ROWS", 100)
    make, options, said = HOSTILE[name]
    path = tmp_path / shard_name(ROWS)
    pq.write_table(make(), path, **{"use_dictionary": False, **options})
    assert path.stat().st_size < 30_000
    before = pa.total_allocated_bytes()
    with pytest.raises(DamagedShard, match=said) as error:
        list(read_shard(path))
    assert path.name in str(error.value)
    assert pa.total_allocated_bytes() - before < 1 << 20


def test_only_regular_files_are_shards(tmp_path: Path) -> None:
    path = tmp_path / shard_name(ROWS)
    os.mkfifo(path)
    with pytest.raises(DamagedShard, match="is no regular file"):
        list(read_shard(path))
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(DamagedShard, match="lies outside"):
        ShardReader(path)


@pytest.mark.parametrize("name", ["x.parquet", "0-1.parquet", "a-b-c.parquet", "../" + "0" * 30])
def test_other_names_are_no_shards(name: str) -> None:
    assert not is_shard_name(name)
    assert is_shard_name(shard_name(ROWS))


def test_an_altered_trace_differs_from_the_manifest_of_its_row(tmp_path: Path) -> None:
    path = tmp_path / shard_name(ROWS)
    write_shard(path, ROWS)
    (row,) = read_shard(path)
    assert not row.is_altered()
    assert row.sealed() == row.record.sealed()
    assert MANIFEST not in row.record.artifacts
    trace = row.record.trace / 2
    artifacts = {**row.record.artifacts, "trace.npy": encode_array(trace)}
    write_shard(path, [replace(row, record=replace(row.record, trace=trace, artifacts=artifacts))])
    with pytest.raises(DamagedShard, match="trial 0 was altered"):
        list(read_shard(path))
    reader = ShardReader(path)
    found = reader.row(0, 0)
    reader.close()
    assert found is not None
    assert found.is_altered()


def test_a_row_of_an_earlier_version_has_no_manifest_and_is_taken(tmp_path: Path) -> None:
    path = tmp_path / shard_name(ROWS)
    kept = [(k, v) for k, v in ROWS[0].record.artifacts.items() if k == "config.yaml"]
    pq.write_table(
        with_column("artifacts", pa.array([kept], pa.map_(pa.string(), pa.binary()))),
        path,
        use_dictionary=["environment"],
    )
    (row,) = read_shard(path)
    assert row.manifest is None
    assert row.sealed() == row.record.sealed()


def test_a_row_whose_trace_is_no_artifact_is_read_as_it_was_written(tmp_path: Path) -> None:
    """So are the row of all seeds together, with its median trace, and that of a failure."""
    record = ROWS[0].record.without({"trace.npy"})
    rows = [ShardRow(0, ALL_SEEDS, record), ShardRow(1, 0, replace(record, trace=np.empty(0)))]
    for number in range(2):  # as written, and as joined with others
        path = tmp_path / shard_name(rows)
        write_shard(path, rows)
        rows = list(read_shard(path))
        assert [each.record.artifacts for each in rows] == [record.artifacts] * 2, number
        assert [each.record.trace.tolist() for each in rows] == [record.trace.tolist(), []]
