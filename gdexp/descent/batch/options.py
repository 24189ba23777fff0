"""How the descents of a batch run: what is kept of them, and how many run at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gdexp.core import BadInput, validation
from gdexp.descent.batch.saving import BatchSaving
from gdexp.descent.cap import Cap
from gdexp.descent.listener import Listeners


@dataclass(frozen=True)
class BatchOptions:
    """The options of `descend_batch`.

    Attributes:
        keep_traces: whether every loss is kept, in the host's memory: rows × (iterations + 1) of
            them. Without, `result[i]` is not available, and the host holds about 100 bytes and
            the final x of each row.
        block: iterations between two looks at the losses; chosen for speed by default.
        chunk: the most rows that run at once, which bounds the memory; by default as many as
            hold half a million numbers, and on a GPU as many as need half of its free memory.
            Where that was too much, half as many are tried, down to one.
        cap: ends rows that cannot win. Every row gets the limit that it would have if the rows
            ran one after the other, each that converges being added to the cap, which is left
            with all of them in it.
        watch: called after every block with the iteration and the number of rows still going.
        listeners: one for each row, None where nothing may end it; None: nothing may end any.
        saving: saves the rows while they run, those that share tensors, and with traces; None:
            they are not saved. With a cap, rows that a cap of now ends elsewhere than the one that
            they were saved with begin again, after those that go on.

    Raises:
        BadInput: a value that cannot be used, or a cap or listeners without traces.
    """

    keep_traces: bool = True
    block: int | None = None
    chunk: int | None = None
    cap: Cap | None = None
    watch: Callable[[int, int], None] | None = None
    listeners: Listeners | None = None
    saving: BatchSaving | None = None

    def __post_init__(self) -> None:
        validation.boolean("keep_traces", self.keep_traces)
        if self.block is not None:
            validation.integer("block", self.block, low=1)
        if self.chunk is not None:
            validation.integer("chunk", self.chunk, low=1)
        if self.cap is not None and not self.keep_traces:
            raise BadInput("keep_traces", False, "must be true with a cap")
        if self.listeners is not None and not self.keep_traces:
            raise BadInput(
                "keep_traces", False, "must be true where a monitor or stopping may end a row early"
            )
