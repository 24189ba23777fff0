"""A file of rows to which single rows are appended, until they are joined into a shard.

A sweep that learns writes one trial at a time. A Parquet file for each would take longer than the
descent. Here a row is one line of JSON, `{"sha256": ..., "row": ...}`; bytes and doubles are in
base64. The sha256 is that of the text of the row. A last line without its end was cut off by a
kill: its trial was not told to the study, so it is left out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import uuid
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gdexp.core import open_regular, sync_folder
from gdexp.tracking.record import Record
from gdexp.tracking.shard_row import ShardRow, shard_errors

MAX_FILE_ROWS = 1_000
"""Most rows of a file; those that are joined into one shard are in memory together."""

MAX_FILE_BYTES = 1 << 26
"""A file of so many bytes takes no further row."""

MOST_LOSSES = 1 << 14
"""Most losses of the rows that are appended at once; base64 of more takes longer than Parquet."""

MOST_ROWS = 8
"""Most rows that are appended at once."""

_NAME = re.compile(r"rows-[0-9a-f]{12}\.jsonl")
_BEGIN, _MIDDLE, _END = b'{"sha256": "', b'", "row": ', b"}\n"
_HEX = 64
_KEY = re.compile(re.escape(_MIDDLE) + rb'\{"trial": (\d{1,15}), "seed": (-?\d{1,9}),')
_MOST_BYTES = 1 << 30


class RowFile:
    """A new file to which rows are appended. It appears with its first rows.

    Args:
        folder: that gets the file; made if it is missing.

    Attributes:
        path: of the file.
        is_full: whether it takes no further rows.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"rows-{uuid.uuid4().hex[:12]}.jsonl"
        self.is_full = False
        self._rows = self._size = 0

    @property
    def takes_more(self) -> bool:
        """Whether it takes further rows: it is not full, and was not joined into a shard."""
        return not self.is_full and (self._rows == 0 or self.path.exists())

    def append(self, rows: Sequence[ShardRow]) -> None:
        """Append rows; they are on the disk when this returns.

        After an error it must get no further rows: its last line may be cut off.
        """
        lines = b"".join(map(_line, rows))
        if self._rows == 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab" if self._rows else "xb", buffering=0) as file:
            written = 0
            while written < len(lines):
                written += file.write(lines[written:])
            os.fsync(file.fileno())
        if self._rows == 0:
            sync_folder(self.path.parent)
        self._rows, self._size = self._rows + len(rows), self._size + len(lines)
        self.is_full = self._rows >= MAX_FILE_ROWS or self._size >= MAX_FILE_BYTES


def is_for_single_rows(rows: Sequence[ShardRow]) -> bool:
    """Return whether rows are so few that they are appended to a `RowFile`."""
    losses = sum(len(row.record.trace) for row in rows)
    return len(rows) <= MOST_ROWS and losses <= MOST_LOSSES


def is_row_file(name: str) -> bool:
    """Return whether a file has the name of a `RowFile`."""
    return _NAME.fullmatch(name) is not None


def read_row_file(
    path: Path, trials: Collection[int] | None = None, columns: Sequence[str] | None = None
) -> Iterator[ShardRow]:
    """Read the rows of a file in order. The arguments are those of `shard_file.read_shard`.

    Raises:
        DamagedShard: a line is damaged.
        FileNotFoundError: the file is not there any more.
    """
    with shard_errors(path):
        for number, line in enumerate(_lines(path, 0), 1):
            if trials is None or _key(line, number)[0] in trials:
                row = _row(line, number)
                if columns is None:
                    row.check_manifest()
                yield row


class RowFileReader:
    """A file of rows for reading single ones. It may grow meanwhile.

    Args:
        path: the file.

    Raises:
        DamagedShard: a line is damaged.
        FileNotFoundError: the file is not there any more.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[int, int], bytes] = {}
        self._read = self._count = 0

    def row(self, trial: int, seed: int) -> ShardRow | None:
        """Return the first row of a trial's seed; None where there is none.

        Raises:
            DamagedShard: a line is damaged.
            FileNotFoundError: the file is not there any more.
        """
        with shard_errors(self._path):
            if (trial, seed) not in self._found:
                for line in _lines(self._path, self._read):
                    self._read, self._count = self._read + len(line), self._count + 1
                    self._found.setdefault(_key(line, self._count), line)
            line = self._found.get((trial, seed), b"")
            return _row(line, self._count) if line else None

    def close(self) -> None:
        """Forget what was read."""
        self._found = {}


def row_count(path: Path) -> tuple[int, int]:
    """Return how many rows a file has, and about how many bytes they take in memory.

    Raises:
        DamagedShard: the file cannot be read.
        FileNotFoundError: the file is not there any more.
    """
    with shard_errors(path):
        sizes = [len(line) for line in _lines(path, 0)]
    return len(sizes), sum(sizes)


def _lines(path: Path, begin: int) -> list[bytes]:
    """Return the complete lines of a file from a position on."""
    with open_regular(path, _MOST_BYTES, [path.parent]) as file:
        file.seek(begin)
        lines = file.read().splitlines(keepends=True)
    return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]


def _line(row: ShardRow) -> bytes:
    record = row.record
    text = json.dumps(
        {
            "trial": row.trial,
            "seed": row.seed,
            "started": row.started,
            "params": dict(record.params),
            "metrics": [*record.metrics],
            "values": _doubles([*record.metrics.values()]),
            "tags": dict(record.tags),
            "artifacts": {name: _text(each) for name, each in row.stored_files().items()},
            "trace": _doubles(record.trace),
        }
    ).encode()
    return _BEGIN + hashlib.sha256(text).hexdigest().encode() + _MIDDLE + text + _END


def _key(line: bytes, number: int) -> tuple[int, int]:
    """Return trial and seed of a line, which is not checked otherwise.

    Raises:
        ValueError: it is no such line.
    """
    if (found := _KEY.match(line, len(_BEGIN) + _HEX)) is None:
        raise ValueError(f"line {number} is damaged")
    return int(found[1]), int(found[2])


def _row(line: bytes, number: int) -> ShardRow:
    """Return the row of a line.

    Raises:
        ValueError: it is no such line.
    """
    at = len(_BEGIN) + _HEX
    text = line[at + len(_MIDDLE) : -len(_END)]
    wanted = _BEGIN + hashlib.sha256(text).hexdigest().encode() + _MIDDLE + text + _END
    if line != wanted:
        raise ValueError(f"line {number} is damaged")
    found: dict[str, Any] = json.loads(text)
    values = _array(found["values"]).tolist()
    record = Record(
        params=found["params"],
        metrics=dict(zip(found["metrics"], values, strict=True)),
        trace=_array(found["trace"]),
        tags=found["tags"],
        artifacts={name: _bytes(each) for name, each in found["artifacts"].items()},
    )
    numbers = [found[name] for name in ("trial", "seed", "started")]
    return ShardRow.of_stored(numbers, record, whole=True)


def _doubles(values: npt.ArrayLike) -> str:
    """Return numbers as base64: of NaN every bit counts."""
    return _text(np.asarray(values, "<f8").tobytes())


def _array(text: str) -> npt.NDArray[np.float64]:
    return np.frombuffer(_bytes(text), "<f8").astype(np.float64)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
