"""One descent against the notebook's loop, and against that loop with torch.optim.SGD."""

from __future__ import annotations

import statistics

from benchmarks.loops import notebook_loop, sgd_loop
from benchmarks.measure import Figure, by_turns, figure, one_thread, ratios
from gdexp import GradientDescent, Matrix, Stopping, descend

LR, THRESHOLD, MOST, SEED = 0.001, 1e-5, 100_000, 0


def run(rounds: int) -> list[Figure]:
    """Time per iteration of a descent of about 20,700 iterations, from one start."""
    start = Matrix().start(SEED)

    def per_iteration(iterations: int, seconds: float) -> float:
        return seconds / iterations

    def ours() -> float:
        result = descend(Matrix(), GradientDescent(lr=LR), Stopping(THRESHOLD, MOST), x0=start)
        return per_iteration(result.iterations, result.seconds)

    with one_thread():
        times = by_turns(
            {
                "gdexp": ours,
                "notebook": lambda: per_iteration(*notebook_loop(start, LR, THRESHOLD, MOST)),
                "sgd": lambda: per_iteration(*sgd_loop(start, LR, THRESHOLD, MOST)),
            },
            rounds,
        )
    microseconds = {name: 1e6 * statistics.median(values) for name, values in times.items()}
    note = f"{microseconds['gdexp']:.1f} µs against {{:.1f}} µs per iteration"
    return [
        figure(
            "gdexp.descend / notebook's loop",
            ratios(times["gdexp"], times["notebook"]),
            1.0,
            note=note.format(microseconds["notebook"]),
        ),
        figure(
            "gdexp.descend / loop with torch.optim.SGD",
            ratios(times["gdexp"], times["sgd"]),
            0.5,
            note=note.format(microseconds["sgd"]),
        ),
    ]
