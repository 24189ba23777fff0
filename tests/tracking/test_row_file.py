"""Files of rows: a row that was appended comes back whole, and a cut or damaged one never does."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.tracking import row_file
from gdexp.tracking.row_file import (
    RowFile,
    RowFileReader,
    is_row_file,
    read_row_file,
    row_count,
)
from gdexp.tracking.shard_folder import ShardFolder
from gdexp.tracking.shard_row import DamagedShard, ShardRow
from tests.tracking.test_parquet import LOSSES, made, same


def row(trial: int, seed: int = 0) -> ShardRow:
    """A row that differs from the others."""
    return ShardRow(trial, seed, made([1.0 / (trial + 1), 0.5], str(trial)), 1_700_000_000_000)


def shards(home: Path) -> ShardFolder:
    """The shards of a sweep whose artifacts lie there."""

    def unused() -> None:
        raise AssertionError("no client is needed")

    return ShardFolder(unused, "run", str(home), nullcontext)  # type: ignore[arg-type]


def keys(found: ShardFolder) -> list[tuple[int, int]]:
    """Trial and seed of all rows, as they are read."""
    return [(each.trial, each.seed) for _, each in found.rows()]


def files(home: Path) -> list[str]:
    """The suffixes of the files of a sweep."""
    return sorted(path.suffix for path in (home / "shards").iterdir())


@settings(max_examples=25)
@given(traces=st.lists(LOSSES, min_size=1, max_size=4), text=st.text())
def test_every_record_comes_back_bit_for_bit(
    traces: list[list[float]], text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [ShardRow(7 * i, i - 1, made(losses, text), i) for i, losses in enumerate(traces)]
    file = RowFile(tmp_path_factory.mktemp("rows") / "new")
    for each in rows:
        file.append([each])
    reader = RowFileReader(file.path)
    for found in (
        list(read_row_file(file.path)),
        [reader.row(each.trial, each.seed) for each in rows],
    ):
        for a, b in zip(rows, found, strict=True):
            assert b is not None
            assert (a.trial, a.seed, a.started) == (b.trial, b.seed, b.started)
            assert same(a.record, b.record)
            assert a.sealed() == b.sealed()
    assert is_row_file(file.path.name)
    assert row_count(file.path)[0] == len(rows)


def test_a_row_that_was_cut_off_is_left_out_wherever_it_was_cut(tmp_path: Path) -> None:
    file = RowFile(tmp_path)
    file.append([row(0)])
    size = file.path.stat().st_size
    file.append([row(1)])
    whole = file.path.read_bytes()
    for cut in (size, size + 1, size + 80, (size + len(whole)) // 2, len(whole) - 1):
        file.path.write_bytes(whole[:cut])
        assert [each.trial for each in read_row_file(file.path)] == [0]
        assert RowFileReader(file.path).row(1, 0) is None
        assert row_count(file.path)[0] == 1


@settings(max_examples=60)
@given(data=st.data())
def test_a_flipped_bit_is_never_read_as_another_row(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [row(trial) for trial in range(3)]
    file = RowFile(tmp_path_factory.mktemp("rows"))
    file.append(rows)
    content = bytearray(file.path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    file.path.write_bytes(content)
    found: list[ShardRow] = []
    with suppress(DamagedShard):
        found += read_row_file(file.path)
        assert len(found) in (2, 3)  # without its end the last line is one that was cut off
    for a, b in zip(rows, found, strict=False):
        assert (a.trial, same(a.record, b.record)) == (b.trial, True)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = RowFile(tmp_path)
    file.append([row(0), row(1)])
    file.path.write_bytes(file.path.read_bytes().replace(b"trial", b"trail", 1))
    with pytest.raises(DamagedShard, match=rf"shards/{file.path.name}: .*\(line 1 is damaged\)"):
        list(read_row_file(file.path))
    with pytest.raises(DamagedShard, match="line 1 is damaged"):
        RowFileReader(file.path).row(1, 0)


def test_single_rows_are_in_one_file_until_it_is_full_and_many_are_a_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_file, "MAX_FILE_ROWS", 3)
    found = shards(tmp_path)
    for trial in range(2):
        found.write([row(trial)])
    assert files(tmp_path) == [".jsonl"]
    found.write([row(2)])
    assert files(tmp_path) == [".parquet"]
    found.write([row(3)])
    found.write([row(trial) for trial in range(4, 20)])
    assert files(tmp_path) == [".jsonl", ".parquet", ".parquet"]
    assert sorted(keys(found)) == [(trial, 0) for trial in range(20)]
    found.tidy()
    assert files(tmp_path) == [".parquet"]
    assert keys(found) == [(trial, 0) for trial in range(20)]
    found.write([row(20)])  # the file of rows is gone: a new one
    assert (20, 0) in keys(found)


def test_a_row_is_found_while_the_file_grows_and_after_it_was_joined(tmp_path: Path) -> None:
    writing, reading = shards(tmp_path), shards(tmp_path)
    writing.write([row(0), row(1)])
    ((name, _), _) = reading.rows()
    assert same(reading.row(name, 0, 0).record, row(0).record)  # type: ignore[union-attr]
    assert reading.row(name, 2, 0) is None
    writing.write([row(2)])
    assert same(reading.row(name, 2, 0).record, row(2).record)  # type: ignore[union-attr]
    assert [each.trial for _, each in reading.rows({1, 2}, columns=())] == [1, 2]
    shards(tmp_path).tidy()
    assert shards(tmp_path).row(name, 0, 0) is None  # its reader lists the names again
    writing.write([row(3)])
    assert keys(reading) == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_after_a_write_that_failed_all_other_rows_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shards(tmp_path)
    found.write([row(0)])

    def full(descriptor: int) -> None:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - 10)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            found.write([row(1)])
    found.write([row(1)])
    found.write([row(2)])
    assert sorted(keys(found)) == [(0, 0), (1, 0), (2, 0)]
    found.tidy()
    assert keys(found) == [(0, 0), (1, 0), (2, 0)]


def test_a_row_that_is_in_two_files_is_read_once(tmp_path: Path) -> None:
    found = shards(tmp_path)
    found.write([row(0), row(1)])
    (path,) = (tmp_path / "shards").iterdir()
    copy = path.read_bytes()
    found.tidy()
    path.write_bytes(copy)  # a kill between the new shard and the end of the file
    assert keys(found) == [(0, 0), (1, 0)]
    found.tidy()
    assert keys(found) == [(0, 0), (1, 0)]
    assert files(tmp_path) == [".parquet"]
