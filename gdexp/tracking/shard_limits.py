"""Check what a Parquet file would take in memory before any of its values is read.

A few bytes can stand for gigabytes: by compression, by one long text that a dictionary repeats, by
a run of equal levels. So the file's own counts bound what its row groups hold after decompression,
and only the types and encodings that `write_shard` writes are read.
"""

from __future__ import annotations

from typing import Any

MOST_ROWS = 100_000
"""Most rows of a file; `write_shard` writes a hundredth of them."""

MOST_GROUP = 1 << 30
"""Most bytes of a row group after decompression."""

TYPES = {
    "trial": ("int64",),
    "seed": ("int64",),
    "started": ("int64",),
    "metrics": ("map<string, double>",),
    "params": ("map<string, string>",),
    "tags": ("map<string, string>",),
    "environment": ("binary",),
    "artifacts": ("map<string, binary>",),
    "trace": ("large_list<element: double>", "large_list<element: float>"),
}
"""The types of each column, as pyarrow names them; the names of a list's items do not matter."""

ENCODINGS = {"PLAIN", "RLE", "BYTE_STREAM_SPLIT", "BIT_PACKED"}
REPEATED = {"PLAIN_DICTIONARY", "RLE_DICTIONARY"}
"""Encodings that repeat texts of a dictionary; only the column `environment` has them."""


def check_limits(file: Any) -> None:  # noqa: ANN401
    """Check an open `pyarrow.parquet.ParquetFile`.

    Raises:
        ValueError: it is no shard, or too large.
    """
    _check_types(file.schema_arrow)
    found = file.metadata
    if not 0 <= found.num_rows <= MOST_ROWS:
        raise ValueError(f"holds {found.num_rows:,} rows, more than {MOST_ROWS:,}")
    groups = [found.row_group(place) for place in range(found.num_row_groups)]
    if any(group.num_rows < 0 for group in groups) or (
        sum(group.num_rows for group in groups) != found.num_rows
    ):
        raise ValueError("its row groups do not hold the rows that it promises")
    for group in groups:
        taken = sum(_size(group.column(place)) for place in range(group.num_columns))
        if taken > MOST_GROUP:
            raise ValueError(
                f"takes {taken:,} bytes in memory for a row group, more than {MOST_GROUP:,}"
            )


def _check_types(schema: Any) -> None:  # noqa: ANN401
    for name, allowed in TYPES.items():
        if name not in schema.names:
            raise ValueError(f"has no column {name}")
        if _type_name(schema.field(name).type) not in allowed:
            raise ValueError(f"its column {name} is of the type {schema.field(name).type}"[:120])


def _type_name(kind: Any) -> str:  # noqa: ANN401
    """Return the name of a type, without the names and flags of what it contains."""
    import pyarrow as pa

    if pa.types.is_map(kind):
        return f"map<{_type_name(kind.key_type)}, {_type_name(kind.item_type)}>"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"large_list<element: {_type_name(kind.value_type)}>"
    return str(kind)


def _size(column: Any) -> int:  # noqa: ANN401
    """Return the most bytes that a column of a row group takes in memory."""
    encodings = set(column.encodings)
    repeated = bool(encodings & REPEATED)
    if encodings - ENCODINGS - REPEATED or (repeated and column.path_in_schema != "environment"):
        raise ValueError(f"its column {column.path_in_schema} has an unknown encoding")
    size, values = column.total_uncompressed_size, column.num_values
    if size < 0 or values < 0:
        raise ValueError(f"its column {column.path_in_schema} has a negative size")
    if repeated:
        size *= values  # each value may be the longest text
    return int(
        max(size, 9 * values)
    )  # a level and a number for each value, even where it is missing
