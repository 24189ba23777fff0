"""Many descents at once: one problem and one rule, each row with its own hyperparameters.

A row of a batch equals the same descent alone bit for bit, so how many rows run together, and
which, is a matter of speed only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch

from gdexp import checks
from gdexp.batch.loop import BatchLoop
from gdexp.batch.outcome import CODES, Outcome, Rows, joined_traces
from gdexp.batch.result import BatchResult, Integers, Traces
from gdexp.batch.rules import Hyperparameters, kinds
from gdexp.cap import Cap
from gdexp.descent import descend, starting_point
from gdexp.errors import BadInput
from gdexp.optimizers import GradientDescent, UpdateRule
from gdexp.problems.base import Problem
from gdexp.stopping import Status, Stopping

CHUNK_NUMBERS = {"cpu": 2**19, "cuda": 2**24}
"""How many numbers the x of one chunk holds by default."""

LONGEST_ROW = {"cpu": 2**15 - 1, "cuda": 32}
"""Rows with more numbers run one at a time.

On a processor torch shares the sum of 2^15 numbers out to its threads when it is a single sum,
but not when it is a row of many (aten/src/ATen/native/TensorIteratorReduce.cpp); on CUDA it is
a warp that sums up to 32 numbers in either case (aten/src/ATen/native/cuda/Reduce.cuh).
"""


class _Batch(NamedTuple):
    """The checked arguments, one entry per row."""

    rules: list[UpdateRule]
    stoppings: list[Stopping]
    initial: torch.Tensor


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
        keep_traces: whether every loss is kept; without, `result[i]` is not available.
        block: iterations between two looks at the losses; chosen for speed by default.
        chunk: the most rows that run at once, which bounds the memory; by default as many as
            hold about half a million numbers (16 million on CUDA).
        cap: ends rows that cannot win. Every row gets the limit that it would have if the rows
            ran one after the other, each that converges being added to the cap, which is left
            with all of them in it.
        watch: called after every block with the iteration and the number of rows still going.

    Raises:
        BadInput: a value that cannot be used, rules of several classes, sequences of different
            or no length, or a loss that is not one number per row.
    """
    dtype, device = checks.dtype(dtype), checks.device(device)
    checks.boolean("keep_traces", keep_traces)
    if block is not None:
        checks.integer("block", block, low=1)
    if chunk is not None:
        checks.integer("chunk", chunk, low=1)
    batch = _checked(problem, rules, stopping, x0, seeds, dtype)
    row_size = batch.initial[0].numel()
    place = "cpu" if device.type == "cpu" else "cuda"
    together = in_one_tensor(problem, batch.rules[0], dtype, device, row_size)

    if cap is not None and not keep_traces:
        raise BadInput("keep_traces", False, "must be true with a cap")

    result = Outcome(len(batch.rules), batch.initial)
    parts: list[tuple[Integers, Traces]] = []
    began = time.perf_counter()
    if together:
        rows_at_once = chunk or max(1, CHUNK_NUMBERS[place] // row_size)
        moved = problem.to(dtype, device)
        for rows, hyperparameters in _chunks(batch.rules, rows_at_once, cap is not None):
            start = batch.initial[torch.from_numpy(rows)].to(device)
            if cap is not None:
                for row in rows.tolist():
                    _limit(batch, row, cap)
            with torch.enable_grad():
                part = BatchLoop(
                    moved,
                    hyperparameters,
                    _row_limits(batch.stoppings, rows),
                    start,
                    keep_traces=keep_traces,
                    block=block,
                    cap=cap,
                    watch=watch,
                ).run()
            if keep_traces:
                traces = joined_traces(part)
                parts.append((rows, traces))
            if cap is not None:
                _settle_caps(batch, rows, part, traces, cap)
            result.put(rows, part)
    else:
        for row in range(len(batch.rules)):
            if cap is not None:
                _limit(batch, row, cap)
            traces = _descend_alone(problem, batch, row, dtype, device, result)
            if cap is not None and result.codes[row] == CODES[Status.CONVERGED]:
                cap.add(batch.stoppings[row].threshold, [int(result.iterations[row])])
            if watch is not None:
                watch(int(result.iterations[row]), len(batch.rules) - row - 1)
            if keep_traces:
                parts.append((np.array([row]), traces))
    seconds = time.perf_counter() - began
    return BatchResult(
        codes=result.codes,
        iterations=result.iterations,
        periods=result.periods,
        final_loss=result.final_loss,
        min_loss=result.min_loss,
        max_loss=result.max_loss,
        initial=batch.initial,
        final=result.final,
        rules=batch.rules,
        stoppings=batch.stoppings,
        traces=_all_traces(result.iterations, parts) if keep_traces else None,
        f_star=problem.reference,
        problem=problem.name or type(problem).__name__,
        seconds=seconds,
        _loss_before=result.loss_before,
        _loss_midway=result.loss_midway,
    )


def in_one_tensor(
    problem: Problem, rule: UpdateRule, dtype: torch.dtype, device: torch.device, row_size: int
) -> bool:
    """Whether rows of so many numbers descend together; otherwise they do one at a time."""
    return (
        problem.batchable
        and rule.batchable
        and dtype in (torch.float32, torch.float64)
        and row_size <= LONGEST_ROW["cpu" if device.type == "cpu" else "cuda"]
    )


def _checked(
    problem: Problem,
    rules: UpdateRule | Sequence[UpdateRule] | None,
    stopping: Stopping | Sequence[Stopping] | None,
    x0: torch.Tensor | Sequence[torch.Tensor] | None,
    seeds: int | Sequence[int],
    dtype: torch.dtype,
) -> _Batch:
    """All arguments with one entry per row."""
    rules = GradientDescent() if rules is None else rules
    stopping = Stopping() if stopping is None else stopping
    many_starts = x0 is not None and not _is_one_start(problem, x0)
    lengths = {
        "rules": None if isinstance(rules, UpdateRule) else len(rules),
        "stopping": None if isinstance(stopping, Stopping) else len(stopping),
        "x0": len(x0) if x0 is not None and many_starts else None,
        "seeds": None if isinstance(seeds, int) else len(seeds),
    }
    known = {key: length for key, length in lengths.items() if length is not None}
    for key, length in known.items():
        if length == 0:
            raise BadInput(key, "nothing", "must have at least one entry")
        first_key, first = next(iter(known.items()))
        if length != first:
            raise BadInput(key, f"{length} entries", f"must be one, or {first} as in {first_key}")
    count = next(iter(known.values()), 1)

    every_rule = [rules] * count if isinstance(rules, UpdateRule) else list(rules)
    every_stopping = [stopping] * count if isinstance(stopping, Stopping) else list(stopping)
    for rule in every_rule:
        if not isinstance(rule, UpdateRule):
            raise BadInput("rules", rule, "must be update rules")
        if type(rule) is not type(every_rule[0]):
            names = f"{type(every_rule[0]).__name__} and {type(rule).__name__}"
            raise BadInput("rules", names, "must be of one class: run one batch for each")
    for each in every_stopping:
        if not isinstance(each, Stopping):
            raise BadInput("stopping", each, "must be stopping rules")
    return _Batch(every_rule, every_stopping, _starts(problem, x0, seeds, count, dtype))


def _is_one_start(problem: Problem, x0: torch.Tensor | Sequence[torch.Tensor]) -> bool:
    return isinstance(x0, torch.Tensor) and x0.ndim <= len(problem.shape)


def _starts(
    problem: Problem,
    x0: torch.Tensor | Sequence[torch.Tensor] | None,
    seeds: int | Sequence[int],
    count: int,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The checked starts on the CPU in the dtype of the descent, shape (count, *shape)."""
    every_seed = [seeds] * count if isinstance(seeds, int) else list(seeds)
    for seed in dict.fromkeys(every_seed):
        checks.integer("seeds", seed)
    if isinstance(x0, torch.Tensor) and not _is_one_start(problem, x0):
        shape = (count, *problem.shape)
        if tuple(x0.shape) != shape:
            raise BadInput("x0", f"shape {tuple(x0.shape)}", f"must have shape {shape}")
        if not x0.is_floating_point():
            raise BadInput("x0", x0.dtype, "must be a tensor of a floating dtype: use .float()")
        if not torch.isfinite(x0).all():
            raise BadInput("x0", "nan or inf", "must hold finite numbers only")
        own = x0.detach().to(device="cpu", dtype=dtype, copy=True)
        return own.contiguous()
    if isinstance(x0, torch.Tensor):
        distinct, which = [starting_point(problem, 0, x0)], [0] * count
    elif x0 is not None:
        distinct, which = [starting_point(problem, 0, each) for each in x0], list(range(count))
    else:
        order = {seed: i for i, seed in enumerate(dict.fromkeys(every_seed))}
        distinct = [starting_point(problem, seed) for seed in order]
        which = [order[seed] for seed in every_seed]
    for start in distinct:
        if start.shape != distinct[0].shape:
            shapes = f"shapes {tuple(distinct[0].shape)} and {tuple(start.shape)}"
            raise BadInput("x0", shapes, "must all have one shape")
    stacked = torch.stack([start.to(device="cpu", dtype=dtype) for start in distinct])
    return stacked[torch.tensor(which)]


def _limit(batch: _Batch, row: int, cap: Cap) -> None:
    """Give a row the limit that the cap has for it, when that is lower than its own."""
    stopping = batch.stoppings[row]
    limit = cap.limit(stopping.threshold)
    if limit is not None and limit < stopping.limit:
        batch.stoppings[row] = replace(stopping, cap=limit)


def _settle_caps(batch: _Batch, rows: Integers, part: Outcome, traces: Traces, cap: Cap) -> None:
    """After rows that ran together: write down the limit that each has had, in order."""
    for i, row in enumerate(rows.tolist()):
        _limit(batch, row, cap)
        if part.codes[i] == CODES[Status.CONVERGED]:
            cap.add(batch.stoppings[row].threshold, [int(part.iterations[i])])
        elif part.codes[i] == CODES[Status.CAPPED]:
            part.loss_midway[i] = traces[i][int(part.iterations[i]) // 2]


def _chunks(
    rules: list[UpdateRule], rows_at_once: int, in_order: bool
) -> Iterator[tuple[Integers, Hyperparameters]]:
    """Rows whose rules differ in numbers only, at most so many at a time.

    `in_order` keeps the rows in the order given, so that rows which differ in more part others.
    """
    distinct = {id(rule): rule for rule in rules}
    labels = dict(zip(distinct, kinds(list(distinct.values())), strict=True))
    groups: list[list[int]]
    if in_order:
        by_label = groupby(range(len(rules)), key=lambda row: labels[id(rules[row])])
        groups = [list(alike) for _, alike in by_label]
    else:
        members: dict[Hashable, list[int]] = {}
        for row, rule in enumerate(rules):
            members.setdefault(labels[id(rule)], []).append(row)
        groups = list(members.values())
    for alike in groups:
        for first in range(0, len(alike), rows_at_once):
            rows = alike[first : first + rows_at_once]
            chosen = {id(rules[row]): rules[row] for row in rows}
            position = {key: i for i, key in enumerate(chosen)}
            which = np.array([position[id(rules[row])] for row in rows])
            yield np.array(rows), Hyperparameters(list(chosen.values()), which)


def _row_limits(stoppings: list[Stopping], rows: Integers) -> Rows:
    chosen = [stoppings[row] for row in rows.tolist()]
    return Rows(
        thresholds=np.array([each.threshold for each in chosen], dtype=np.float64),
        limits=np.array([each.limit for each in chosen], dtype=np.int64),
        limit_codes=np.array([CODES[each.limit_status] for each in chosen], dtype=np.int8),
    )


def _descend_alone(
    problem: Problem,
    batch: _Batch,
    row: int,
    dtype: torch.dtype,
    device: torch.device,
    result: Outcome,
) -> Traces:
    """Run one row by itself and record it."""
    stopping = batch.stoppings[row]
    alone = descend(
        problem, batch.rules[row], stopping, x0=batch.initial[row], dtype=dtype, device=device
    )
    last, middle = alone.iterations, stopping.limit // 2
    result.codes[row] = CODES[alone.status]
    result.iterations[row] = last
    result.periods[row] = alone.period or 0
    result.final_loss[row] = alone.final_loss
    result.min_loss[row], result.max_loss[row] = alone.min_loss, alone.max_loss
    result.loss_before[row] = alone.trace[last - 1] if last else np.nan
    result.loss_midway[row] = alone.trace[middle] if middle <= last else np.nan
    result.final[row] = alone.final
    return Traces(alone.trace, np.array([0, last + 1]))


def _all_traces(iterations: Integers, parts: list[tuple[Integers, Traces]]) -> Traces:
    """The traces of all rows in the order of the rows; the parts are used up."""
    if len(parts) == 1:
        return parts[0][1]
    offsets = np.concatenate(([0], np.cumsum(iterations + 1)))
    values = np.empty(offsets[-1], dtype=parts[0][1].values.dtype)
    while parts:
        rows, traces = parts.pop()
        if rows[-1] - rows[0] + 1 == len(rows):
            values[offsets[rows[0]] : offsets[rows[-1] + 1]] = traces.values
        else:
            for i, row in enumerate(rows.tolist()):
                start, stop = traces.offsets[i : i + 2]
                values[offsets[row] : offsets[row + 1]] = traces.values[start:stop]
    return Traces(values, offsets)
