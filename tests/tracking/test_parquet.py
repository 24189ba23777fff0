"""Shards: a record in a row comes back as the record, bit for bit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.experiment.experiment import Experiment
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.record import Record, descent_record
from gdexp.tracking.shard_file import may_hold, read_shard, shard_name, write_shard
from gdexp.tracking.shard_row import DamagedShard, ShardRow
from tests.support.commands import composed

LOSSES = st.lists(st.floats(allow_nan=True, width=64), max_size=40)
SINGLE = st.lists(st.floats(allow_nan=True, width=32), max_size=40)


def same(a: Record, b: Record) -> bool:
    """Equal in everything, losses and numbers bit for bit."""
    numbers = {k: np.float64(v).tobytes() for k, v in a.metrics.items()}
    return (
        numbers == {k: np.float64(v).tobytes() for k, v in b.metrics.items()}
        and (a.params, a.tags, a.artifacts) == (b.params, b.tags, b.artifacts)
        and a.trace.tobytes() == b.trace.tobytes()
    )


def made(losses: list[float], text: str = "") -> Record:
    trace = np.array(losses, dtype=np.float64)
    return Record(
        params={"optimizer.lr": "0.1", "problem.note": text},
        metrics={"iterations": float(len(losses)), "final_loss": losses[-1] if losses else 0.0},
        trace=trace,
        tags={"gdexp.status": "converged", "note": text},
        artifacts={
            "config.yaml": text.encode(),
            "environment.json": json.dumps({"a": text}).encode(),
            "trace.npy": encode_array(trace),
        },
    )


@settings(max_examples=40, deadline=None)
@given(
    traces=st.lists(st.one_of(LOSSES, SINGLE), min_size=1, max_size=6),
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_every_record_comes_back_bit_for_bit(
    traces: list[list[float]], text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [ShardRow(7 * i, i % 2, made(losses, text)) for i, losses in enumerate(traces)]
    path = tmp_path_factory.mktemp("shards") / shard_name(rows)
    write_shard(path, rows)
    found = list(read_shard(path))
    assert [(row.trial, row.seed) for row in found] == [(row.trial, row.seed) for row in rows]
    assert all(same(a.record, b.record) for a, b in zip(rows, found, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_a_descent_comes_back_with_every_artifact(tmp_path: Path, dtype: str) -> None:
    experiment = Experiment.from_config(composed(f"dtype={dtype}", "stopping.max_iterations=50"))
    record = descent_record(experiment, experiment.run())
    path = tmp_path / shard_name([ShardRow(3, 0, record)])
    write_shard(path, [ShardRow(3, 0, record)])
    (found,) = read_shard(path)
    assert same(found.record, record)
    assert found.record.sealed() == record.sealed()


def test_single_precision_is_used_only_where_it_loses_nothing(tmp_path: Path) -> None:
    exact = [ShardRow(0, 0, made([0.5**i for i in range(2000)]))]
    rounded = [ShardRow(0, 0, made([0.1 * math.exp(-i / 100) for i in range(2000)]))]
    sizes = []
    for name, rows in (("a.parquet", exact), ("b.parquet", rounded)):
        write_shard(tmp_path / name, rows)
        (found,) = read_shard(tmp_path / name)
        assert same(found.record, rows[0].record)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[0] < sizes[1]


def test_some_trials_and_some_columns_can_be_read_alone(tmp_path: Path) -> None:
    rows = [ShardRow(i, 0, made([1.0, 1.0 / (i + 1)], str(i))) for i in range(1000)]
    path = tmp_path / shard_name(rows)
    write_shard(path, rows)
    few = list(read_shard(path, {5, 998}))
    assert [row.trial for row in few] == [5, 998]
    assert same(few[1].record, rows[998].record)
    light = list(read_shard(path, columns=[]))
    assert len(light) == 1000
    assert light[3].record.metrics == rows[3].record.metrics
    assert len(light[3].record.trace) == 0
    assert not light[3].record.artifacts


def test_the_name_says_which_trials_are_inside() -> None:
    name = shard_name([ShardRow(n, 0, Record()) for n in (12, 7, 40)])
    assert [n for n in range(60) if may_hold(name, n)] == list(range(7, 41))
    assert shard_name([ShardRow(7, 0, Record())]) != shard_name([ShardRow(7, 0, Record())])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_never_read_as_another_loss(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [ShardRow(i, 0, made([1.0 / (i + j + 1) for j in range(200)])) for i in range(3)]
    path = tmp_path_factory.mktemp("shards") / shard_name(rows)
    write_shard(path, rows)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        found = list(read_shard(path))
    except DamagedShard:
        return
    for row, wanted in zip(found, rows, strict=False):
        assert row.record.trace.tobytes() == wanted.record.trace.tobytes()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 10])
def test_a_damaged_shard_is_named_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "00000000-00000001-00000000.parquet"
    path.write_bytes(content)
    with pytest.raises(DamagedShard, match=path.name) as raised:
        list(read_shard(path))
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.glob("*.part"))
