"""Many descents at once, in one tensor, each bit for bit what it is alone.

`given` checks what is given, `parts` divides it into tensors that `memory` has room for, `loop`
descends one of them and `ends` finds the rows that end, with `repeats` for those that stall.
`rules` and `limits` know what differs between the rows, `outcome` collects what becomes of them,
and `result` is what is handed back.
"""

from __future__ import annotations

from gdexp.batch.result import STATUSES, BatchResult, Traces
from gdexp.batch.run import descend_batch

__all__ = ["STATUSES", "BatchResult", "Traces", "descend_batch"]
