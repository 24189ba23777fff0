"""Many descents at once on a GPU against the processor, and whether the bits agree; trainings too.

`scripts/bench device` takes the first GPU, `scripts/bench device cuda:1` another. With `cpu` it is
the processor against itself, on fewer rows: to see that the benchmark works.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from functools import partial

import torch

from benchmarks.device_training import checks
from benchmarks.measure import Figure, by_turns, figure, ratios
from gdexp.core import validation
from gdexp.core.errors import BadInput
from gdexp.descent.batch.memory import SHARE, free_bytes
from gdexp.descent.batch.result import BatchResult
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.single_descent import descend
from gdexp.descent.stopping import Stopping
from gdexp.optimizers.momentum import GradientDescent
from gdexp.problems.matrix import Matrix
from gdexp.reruns.array_comparison import compare_arrays

TARGETS = {100_000: 1.0, 1_000_000: 2.0}
"""Rows, and how many times as fast as the processor at least. Making a million results in Python
takes about a second, whichever computes them."""

ON_CPU = {2_000: 0.5, 10_000: 0.5}
SLOWEST, FASTEST, UNTIL = 0.01, 9.5, Stopping(1e-5, 1000)
COMPARED, ALONE = 1_000, 10
"""Rows whose traces are compared, and of them those that also descend alone."""

ULPS = 16.0
"""That `+rerun` calls close."""


def run(rounds: int, place: str = "cuda") -> list[Figure]:
    """Speed, agreement and memory; nothing where there is no such device."""
    try:
        device = validation.device(place)
    except BadInput as error:
        print(f"nothing measured: {error}", file=sys.stderr)
        return []
    targets = ON_CPU if device.type == "cpu" else TARGETS
    found = [_speed(rows, device, rounds, target) for rows, target in targets.items()]
    found += _agreement(device)
    found += [figure(each.name, [each.wrong], 0, note=each.note) for each in checks(device)]
    if device.type == "cuda":
        found.append(_memory(max(targets), device))
    return found


def _batch(rows: int, device: torch.device | str, keep_traces: bool = False) -> BatchResult:
    """Descents whose learning rates go from too slow to diverging, each from its own start."""
    rates = torch.linspace(SLOWEST, FASTEST, rows, dtype=torch.float64).tolist()
    starts = torch.rand(rows, 3, 3, generator=torch.Generator().manual_seed(0))
    rules = [GradientDescent(lr=lr) for lr in rates]
    return descend_batch(Matrix(), rules, UNTIL, x0=starts, device=device, keep_traces=keep_traces)


def _speed(rows: int, device: torch.device, rounds: int, target: float) -> Figure:
    """Iterations per second, summed over all descents, with everything that a call costs."""

    def speed(place: torch.device | str) -> float:
        began = time.perf_counter()
        result = _batch(rows, place)
        return float(result.iterations.sum()) / (time.perf_counter() - began)

    speeds = by_turns({"there": partial(speed, device), "cpu": partial(speed, "cpu")}, rounds)
    there, here = (statistics.median(values) for values in speeds.values())
    return figure(
        f"{rows:,} descents on {device} / on the processor, iterations/s",
        ratios(speeds["there"], speeds["cpu"]),
        target,
        "higher",
        f"{there:,.0f} against {here:,.0f} per second, {torch.get_num_threads()} threads",
    )


def _agreement(device: torch.device) -> list[Figure]:
    """How far the losses are from the processor's, from those of a second run and from alone."""
    there, again, here = (_batch(COMPARED, place, True) for place in (device, device, "cpu"))
    apart, other_counts, changed = [0.0], 0, 0
    for row in range(COMPARED):
        one, other = there[row], here[row]
        common = min(len(one.trace), len(other.trace))
        found = compare_arrays(one.trace[:common], other.trace[:common], "float32")
        apart.append(0.0 if found is None else math.inf if found.ulps is None else found.ulps)
        other_counts += one.iterations != other.iterations
        changed += one.trace.tobytes() != again[row].trace.tobytes()
        changed += not torch.equal(one.final, again[row].final)
    unlike = 0
    for row in range(0, COMPARED, COMPARED // ALONE):
        one = there[row]
        alone = descend(Matrix(), one.rule, UNTIL, x0=one.initial, device=device)
        unlike += one.trace.tobytes() != alone.trace.tobytes()
    return [
        figure(
            f"largest difference of a loss on {device} from the processor's, ulp",
            [max(apart)],
            ULPS,
            note=f"{COMPARED:,} descents, of which {other_counts} made another count",
        ),
        figure(f"of {COMPARED:,} descents, those with other bits the second time", [changed], 0),
        figure(f"of {ALONE} descents, those with other bits alone", [unlike], 0),
    ]


def _memory(rows: int, device: torch.device) -> Figure:
    """The most that torch had in use, as a share of what was free."""
    torch.cuda.empty_cache()
    free = free_bytes(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    _batch(rows, device)
    used = torch.cuda.max_memory_allocated(device) - before
    note = f"{used / 2**30:.2f} of {free / 2**30:.1f} GiB, {used / rows:,.0f} bytes a row"
    return figure(
        f"{rows:,} descents: memory in use / free before", [used / free], SHARE, note=note
    )
