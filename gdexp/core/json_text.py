"""JSON texts as `json.dumps` makes them; quicker for the many small values of a record."""

from __future__ import annotations

import json
import math
from json.encoder import encode_basestring_ascii

_ENCODER = json.JSONEncoder(default=str)
"""Made once: `json.dumps` makes one for each value that has a `default`."""


def json_text(value: object) -> str:
    """Return `json.dumps(value, default=str)`."""
    if type(value) is str:
        return encode_basestring_ascii(value)
    if value is None:
        return "null"
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    return _ENCODER.encode(value)


def indented_json(value: object, indent: str = "") -> str:
    """Return `json.dumps(value, indent=2, default=str)`, which indents in Python.

    Args:
        value: what is written.
        indent: what stands before it in its line.
    """
    inner = f"{indent}  "
    if type(value) is dict and value:
        if not all(type(key) is str for key in value):
            return json.dumps(value, indent=2, default=str).replace("\n", f"\n{indent}")
        lines = (
            f"{encode_basestring_ascii(key)}: {indented_json(item, inner)}"
            for key, item in value.items()
        )
        return "{\n" + inner + f",\n{inner}".join(lines) + f"\n{indent}}}"
    if (type(value) is list or type(value) is tuple) and value:
        items = (indented_json(item, inner) for item in value)
        return "[\n" + inner + f",\n{inner}".join(items) + f"\n{indent}]"
    return json_text(value)
