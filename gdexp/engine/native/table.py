"""The table of addresses and numbers that native code reads its arguments from."""

from __future__ import annotations

ARRAYS = (
    "x",
    "state",
    "last",
    "anchor",
    "hit_x",
    "k",
    "anchor_k",
    "hit_k",
    "code",
    "checked",
    "period",
    "evaluations",
    "loss",
    "last_loss",
    "anchor_loss",
    "lowest",
    "highest",
    "midway",
    "before",
    "threshold",
    "goal",
    "f_star",
    "limit",
    "max_iterations",
    "midway_at",
    "constant_since",
    "norm",
    "last_norm",
)
"""The arrays of `Rows`, in the table's order."""

MORE = (
    "trace",
    "trace_row",
    "trace_step",
    "trace_first",
    "coefficients",
    "coefficient_row",
    "coefficient_step",
    "coefficient_first",
    "constants",
    "until",
    "norms",
    "norms_row",
)
"""What follows them: of the block, and the program's constants. Rows and steps count numbers."""

PLACE = {name: i for i, name in enumerate(ARRAYS + MORE)}
