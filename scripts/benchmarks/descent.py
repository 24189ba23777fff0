"""One descent against the notebook's loop, and against that loop with torch.optim.SGD.

Measured twice: `gdexp.descend`, and the loop inside `python -m gdexp`, which also prints losses.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import time

from benchmarks.loops import notebook_loop, sgd_loop
from benchmarks.measure import Figure, by_turns, elsewhere, figure, one_thread, ratios
from gdexp import GradientDescent, Matrix, Stopping, descend
from gdexp.cli import run as commands

LR, THRESHOLD, MOST, SEED = 0.001, 1e-5, 100_000, 0


def run(rounds: int) -> list[Figure]:
    """Time per iteration of a descent of about 20,700 iterations, from one start."""
    start = Matrix().start(SEED)

    def per_iteration(iterations: int, seconds: float) -> float:
        return seconds / iterations

    def ours() -> float:
        result = descend(Matrix(), GradientDescent(lr=LR), Stopping(THRESHOLD, MOST), x0=start)
        return per_iteration(result.iterations, result.seconds)

    recording: list[float] = []

    def command() -> float:
        """The loop of the command; what recording it took besides is kept apart."""
        iterations, seconds, besides = _command()
        recording.append(besides)
        return per_iteration(iterations, seconds)

    with one_thread(), elsewhere():
        times = by_turns(
            {
                "gdexp": ours,
                "command": command,
                "notebook": lambda: per_iteration(*notebook_loop(start, LR, THRESHOLD, MOST)),
                "sgd": lambda: per_iteration(*sgd_loop(start, LR, THRESHOLD, MOST)),
            },
            rounds,
        )
    microseconds = {name: 1e6 * statistics.median(values) for name, values in times.items()}
    note = f"{microseconds['gdexp']:.1f} µs against {{:.1f}} µs per iteration"
    recorded = f"{statistics.median(recording):.1f} s more to start and end the record in MLflow"
    return [
        figure(
            "loop of python -m gdexp / notebook's loop",
            ratios(times["command"], times["notebook"]),
            1.5,
            note=recorded,
        ),
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


def _command() -> tuple[int, float, float]:
    """`python -m gdexp` in this process: iterations, seconds of its loop, seconds besides."""
    config = {
        "problem": {"name": "matrix"},
        "optimizer": {"name": "gd", "lr": LR},
        "stopping": {"threshold": THRESHOLD, "max_iterations": MOST},
        "seed": SEED,
        "dtype": "float32",
        "device": "cpu",
        "tracking": {},
    }
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        result = commands.run_config(config)
    besides = time.perf_counter() - began - result.seconds
    return result.iterations, result.seconds, besides
