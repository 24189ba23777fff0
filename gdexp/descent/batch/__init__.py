"""Many descents at once, in one tensor, each bit for bit what it is alone.

`given` checks what is given, `parts` divides it into tensors that `memory` has room for, `loop`
descends one of them and `ends` finds the rows that end, with `repeats` for those that stall.
`rules` and `limits` know what differs between the rows, `outcome` collects what becomes of them,
and `result` is what is handed back.
"""

from gdexp.descent.batch.result import BatchResult
from gdexp.descent.batch.run import descend_batch, in_one_tensor

__all__ = [
    "BatchResult",
    "descend_batch",
    "in_one_tensor",
]
