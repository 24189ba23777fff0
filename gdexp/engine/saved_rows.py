"""Descents saved in the middle, to go on later with the same bits."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np

from gdexp.core import BadInput
from gdexp.engine.plan import Plan
from gdexp.engine.rows import Rows

FORMAT = 1
"""The version of the stored form."""


def save_rows(rows: Rows, plan: Plan) -> bytes:
    """Return rows as bytes: one line of JSON, then the arrays, little-endian.

    Equal rows have equal bytes.
    """
    arrays = _arrays(rows, plan)
    header = {
        "format": FORMAT,
        "plan": plan.sha256,
        "arrays": [[name, array.dtype.str, array.shape] for name, array in arrays.items()],
    }
    line = json.dumps(header, separators=(",", ":")).encode() + b"\n"
    return line + b"".join(array.tobytes() for array in arrays.values())


def load_rows(stored: bytes, plan: Plan) -> Rows:
    """Return the rows that were saved.

    Args:
        stored: what `save_rows` returned.
        plan: the plan of the descents.

    Raises:
        BadInput: the bytes are no rows of this version, or those of another plan.
    """
    try:
        line, _, rest = stored.partition(b"\n")
        header = json.loads(line)
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']}")
        if header["plan"] != plan.sha256:
            raise ValueError("they belong to another plan")
        count = header["arrays"][0][2][0]
        begun = Rows.begin(plan, np.zeros((count, *plan.shape)))
        wanted = _arrays(begun, plan)
        found: dict[str, Any] = vars(begun)
        offset = 0
        for (name, like), (own, kind, shape) in zip(wanted.items(), header["arrays"], strict=True):
            if own != name or kind != like.dtype.str or tuple(shape) != like.shape:
                raise ValueError(f"array {own} of {kind}, {shape}")
            array = np.frombuffer(rest, like.dtype, math.prod(shape), offset)
            found[name] = array.reshape(shape).copy()
            offset += array.nbytes
        if offset != len(rest):
            raise ValueError("bytes are left over")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadInput("rows", "their bytes", f"are no rows of this plan: {error}") from None
    return Rows(**found)


def _arrays(rows: Rows, plan: Plan) -> dict[str, Any]:
    """Return the arrays in order, little-endian and in C order; of norms where there are any."""
    return {
        field.name: np.ascontiguousarray(
            getattr(rows, field.name),
            dtype=getattr(rows, field.name).dtype.newbyteorder("<"),
        )
        for field in dataclasses.fields(Rows)
        if plan.has_norms or field.name not in ("norm", "last_norm")
    }
