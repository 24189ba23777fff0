"""The result of a batch, put together once all rows have ended."""

from __future__ import annotations

import torch

from gdexp.descent.batch.arguments import Given
from gdexp.descent.batch.result import BatchResult, Ended, Traces
from gdexp.problems import Problem


def finished(
    problem: Problem,
    batch: Given,
    ended: Ended,
    traces: Traces | None,
    seconds: float,
    *,
    engine: str,
) -> BatchResult:
    """Return the result of a batch.

    Args:
        problem: the problem.
        batch: its rows, with the stopping rules that they had in the end.
        ended: how they ended, on the CPU.
        traces: their losses; None where they are not kept.
        seconds: that the descents took.
        engine: that computed them.
    """
    return BatchResult(
        codes=ended.codes,
        iterations=ended.iterations,
        updates=ended.updates,
        periods=ended.periods,
        final_loss=ended.final_loss,
        min_loss=ended.min_loss,
        max_loss=ended.max_loss,
        initial=batch.initial,
        final=torch.as_tensor(ended.final),
        rules=batch.rules,
        stoppings=batch.stoppings,
        traces=traces,
        f_star=problem.reference,
        problem=problem.name or type(problem).__name__,
        seconds=seconds,
        _loss_before=ended.loss_before,
        _loss_midway=ended.loss_midway,
        _final_norm=ended.final_norm,
        engine=engine,
    )
