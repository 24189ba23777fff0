"""Whether a descent of a million iterations costs more, per iteration, than a short one."""

from __future__ import annotations

import sys
import time
from array import array

from benchmarks.measure import Figure, figure
from gdexp import GradientDescent, Matrix, Stopping, descend

LONG, SHORT, EVERY = 1_000_000, 1_000, 25_000
BYTES = 16_000_000
RULE = GradientDescent(lr=1e-7)


def run(rounds: int) -> list[Figure]:
    """One descent of a million iterations, stopped now and then to run a fresh one of 1,000.

    The next 1,000 iterations of the long one are then timed against it. In float64, where so
    small a learning rate still moves x.
    """
    del rounds  # the stops are the rounds
    fresh, late, sizes = [], [], []
    began = 0.0

    def watch(k: int, trace: array[float]) -> int:
        nonlocal began
        now = time.perf_counter()
        if k % EVERY == SHORT % EVERY and k > SHORT:
            late.append(now - began)
            sizes.append(sys.getsizeof(trace))
            return k - SHORT + EVERY
        short = descend(Matrix(), RULE, Stopping(1e-9, SHORT), dtype="float64")
        fresh.append(short.seconds)
        began = time.perf_counter()
        return k + SHORT if k else EVERY

    result = descend(Matrix(), RULE, Stopping(1e-9, LONG + SHORT), dtype="float64", watch=watch)
    fresh = fresh[1 : len(late) + 1]
    changes = [b / a - 1 for a, b in zip(fresh, late, strict=True)]
    per_iteration = [1e6 * sorted(times)[len(times) // 2] / SHORT for times in (fresh, late)]
    return [
        figure(
            "time per iteration at 25,000 … 1,000,000 / in the first 1,000, less 1",
            changes,
            0.1,
            note=f"{per_iteration[1]:.1f} µs against {per_iteration[0]:.1f} µs, {len(late)} stops",
        ),
        figure(
            "bytes of a trace of a million losses, spare room included",
            sizes[-1:],
            BYTES,
            note=f"{result.iterations + 1:,} losses",
        ),
    ]
