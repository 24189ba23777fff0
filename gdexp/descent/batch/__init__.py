"""Many descents at once: what is given, how rows end, and torch's way to compute them.

`arguments` and `options` check what is given, `parts` divides it into tensors that `memory` has
room for, `loop` descends one of them and `ends` finds the rows that end. `hyperparameters` and
`limits` know what differs between the rows, `outcome` collects what becomes of them, `saving` keeps
them for a later process, in which `saved_limits` says which of them a cap lets go on, `result` is
what is returned, and `finished` puts it together.
"""

from gdexp.descent.batch.arguments import Given, given
from gdexp.descent.batch.finished import finished
from gdexp.descent.batch.hyperparameters import Hyperparameters, divided
from gdexp.descent.batch.limits import EARLY, Earliest, Limits, note_midways
from gdexp.descent.batch.options import BatchOptions
from gdexp.descent.batch.outcome import CODES, Piece, joined_traces, piece_of
from gdexp.descent.batch.result import STATUSES, BatchResult, Traces, in_order
from gdexp.descent.batch.saved_limits import Reached, lower_as_before, rows_going_on
from gdexp.descent.batch.saving import (
    BatchSaving,
    Part,
    SavedPart,
    SavedRows,
    hear_again,
    heard_by,
)
from gdexp.descent.batch.torch_rows import in_one_tensor, torch_batch

__all__ = [
    "CODES",
    "EARLY",
    "STATUSES",
    "BatchOptions",
    "BatchResult",
    "BatchSaving",
    "Earliest",
    "Given",
    "Hyperparameters",
    "Limits",
    "Part",
    "Piece",
    "Reached",
    "SavedPart",
    "SavedRows",
    "Traces",
    "divided",
    "finished",
    "given",
    "hear_again",
    "heard_by",
    "in_one_tensor",
    "in_order",
    "joined_traces",
    "lower_as_before",
    "note_midways",
    "piece_of",
    "rows_going_on",
    "torch_batch",
]
