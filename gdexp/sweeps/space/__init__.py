"""The search space: its dimensions, their ranges, and how they are written."""

from gdexp.sweeps.space.composition import compose_space
from gdexp.sweeps.space.dimension import (
    Dimension,
    checked_bounds,
    choice_dimension,
    unquoted,
)
from gdexp.sweeps.space.space import MAX_GRID, Space

__all__ = [
    "MAX_GRID",
    "Dimension",
    "Space",
    "checked_bounds",
    "choice_dimension",
    "compose_space",
    "unquoted",
]
