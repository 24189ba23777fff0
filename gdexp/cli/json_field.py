"""One field of a JSON object, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Field(NamedTuple):
    """One field of an object.

    Attributes:
        kind: what its value is.
        meaning: in one line.
        fields: of the object, or of each object in the list; None where it holds no objects.
    """

    kind: str
    meaning: str
    fields: Mapping[str, Field] | None = None


Fields = Mapping[str, Field]
