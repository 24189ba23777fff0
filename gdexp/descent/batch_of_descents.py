"""Many descents at once, on the engine that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from gdexp.core import BadInput, validation
from gdexp.descent.batch import BatchResult, given, torch_batch
from gdexp.descent.cap import Cap
from gdexp.descent.device import out_of_memory
from gdexp.descent.portable import check_engine, needs_portable, portable_batch, refusal
from gdexp.descent.stopping import Stopping
from gdexp.engine import NotPortable, Plans
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


def descend_batch(
    problem: Problem,
    rules: UpdateRule | Sequence[UpdateRule] | None = None,
    stopping: Stopping | Sequence[Stopping] | None = None,
    *,
    x0: torch.Tensor | Sequence[torch.Tensor] | None = None,
    seeds: int | Sequence[int] = 0,
    dtype: torch.dtype | str = torch.float32,
    device: torch.device | str = "cpu",
    keep_traces: bool = True,
    block: int | None = None,
    chunk: int | None = None,
    cap: Cap | None = None,
    watch: Callable[[int, int], None] | None = None,
    engine: str = "auto",
    plans: Plans | None = None,
) -> BatchResult:
    """Minimise a problem B times at once; `result[i]` is what `descend` gives for row i.

    ::

        from gdexp import GradientDescent, Matrix, Stopping, descend_batch

        rates = [0.5 + 0.01 * i for i in range(800)]
        batch = descend_batch(Matrix(), [GradientDescent(lr=lr) for lr in rates])
        print(batch, rates[batch.hitting_time.argmin()])

    What is given once holds for all rows; what is given as a sequence has one entry per row.
    A problem or rule that is not `batchable`, float16, bfloat16 and very long rows run one at a
    time, with the same result.

    Args:
        problem: what is minimised.
        rules: how; of one class. Plain gradient descent with lr 1 by default.
        stopping: until when; `Stopping()` by default.
        x0: the starts: a tensor of shape (B, *shape) or one tensor of the problem's shape per
            row; or one of the problem's shape for all. The problem's own by default.
        seeds: draw the starts of a problem that has no x0 of its own; 0 … 2^63 − 1.
        dtype: float32 (default), float64, float16 or bfloat16.
        device: cpu (default), cuda or cuda:N.
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
        engine: portable, torch or auto, as for `descend`. On the portable engine every problem
            and rule is batchable, and so are rows of any length.
        plans: as for `descend`.

    Raises:
        BadInput: a value that cannot be used, rules of several classes, sequences of different
            or no length, a loss that is not one number per row, or one that has no portable
            form where `engine` is portable.
        GdexpError: a single row is too much for the device's memory.
    """
    dtype, device = validation.dtype(dtype), validation.device(device)
    validation.boolean("keep_traces", keep_traces)
    if block is not None:
        validation.integer("block", block, low=1)
    if chunk is not None:
        validation.integer("chunk", chunk, low=1)
    if cap is not None and not keep_traces:
        raise BadInput("keep_traces", False, "must be true with a cap")
    batch = given(problem, rules, stopping, x0, seeds, dtype)
    row_size = batch.initial[0].numel()
    reason = None
    if check_engine(engine) != "torch":
        try:
            return portable_batch(
                problem,
                batch,
                dtype,
                device,
                keep_traces=keep_traces,
                block=block,
                chunk=chunk,
                cap=cap,
                watch=watch,
                plans=plans,
            )
        except NotPortable as error:
            if engine == "portable":
                raise refusal(error) from None
            reason = str(error)
        except torch.OutOfMemoryError:
            raise out_of_memory(device, row_size) from None

    if batch.rules[0].searches:
        raise needs_portable(batch.rules[0], reason)
    result = torch_batch(
        problem,
        batch,
        dtype,
        device,
        keep_traces=keep_traces,
        block=block,
        chunk=chunk,
        cap=cap,
        watch=watch,
    )
    return result if reason is None else replace(result, engine_reason=reason)
