"""Many descents at once on torch's own kernels: rows that share a tensor.

A row of a batch equals the same descent alone bit for bit, so how many rows run together, and
which, is a matter of speed only.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from gdexp.descent.batch.arguments import Given
from gdexp.descent.batch.finished import finished
from gdexp.descent.batch.options import BatchOptions
from gdexp.descent.batch.parts import Parts
from gdexp.descent.batch.result import BatchResult
from gdexp.descent.device import exact_arithmetic
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem

LONGEST_ROW = {"cpu": 2**15 - 1, "cuda": 32}
"""Rows with more numbers run one at a time.

On a processor torch shares the sum of 2^15 numbers out to its threads when it is a single sum,
but not when it is a row of many (aten/src/ATen/native/TensorIteratorReduce.cpp); on CUDA it is
a warp that sums up to 32 numbers in either case (aten/src/ATen/native/cuda/Reduce.cuh).
"""


def torch_batch(
    problem: Problem, batch: Given, device: torch.device, options: BatchOptions
) -> BatchResult:
    """Return the result of a batch that torch's own kernels compute; see `descend_batch`."""
    dtype, row_size = batch.initial.dtype, batch.initial[0].numel()
    began = time.perf_counter()
    parts, before = Parts(problem, batch, device, options), 0.0
    with exact_arithmetic(device):
        apart = batch.stoppings[0].of_norm  # the loop of many rows reads no gradients
        if not apart and in_one_tensor(problem, batch.rules[0], dtype, device, row_size):
            before = parts.together()
        else:
            parts.one_by_one()
    seconds = before + time.perf_counter() - began
    traces = parts.traces() if options.keep_traces else None
    result = finished(problem, batch, parts.outcome, traces, seconds, engine="torch")
    return replace(result, evaluations=parts.evaluations(), gradient_norms=parts.gradient_norms())


def in_one_tensor(
    problem: Problem, rule: UpdateRule, dtype: torch.dtype, device: torch.device, row_size: int
) -> bool:
    """Whether rows of so many numbers descend together; otherwise they do one at a time."""
    return (
        problem.batchable
        and rule.batchable
        and not rule.searches
        and dtype in (torch.float32, torch.float64)
        and row_size <= LONGEST_ROW["cpu" if device.type == "cpu" else "cuda"]
    )
