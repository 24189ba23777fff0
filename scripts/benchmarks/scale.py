"""Several workers on one study: what a second one gains, and whether trials get dearer."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, figure
from tests.support.postgres import postgres

if TYPE_CHECKING:
    from optuna import Study

COMPUTED = ("problem=function", "optimizer=momentum", "stopping.max_iterations=4000")
"""Descents that leave no time for anything else."""

WORKERS, TRIALS, GAIN = (1, 2, 4), 128, 1.7
FEW, MANY, GROWTH = 1_000, 10_000, 1.5
SHORT = ("stopping.max_iterations=50", "tracking.children=best:1")


def run(rounds: int) -> list[Figure]:
    """Trials per second from the first one that was begun to the last that was told."""
    figures = []
    with tempfile.TemporaryDirectory() as name, _server(Path(name) / "server") as address:
        for place in ("journal", "PostgreSQL"):
            rates: dict[int, list[float]] = {workers: [] for workers in WORKERS}
            for number in range(rounds):
                for workers in WORKERS:
                    storage = address if place == "PostgreSQL" else f"c{number}-{workers}.journal"
                    study = f"c{number}-{workers}"
                    given = [*COMPUTED, f"sweep.workers={workers}", f"seed={number}"]
                    _sweep(Path(name), study, storage, TRIALS, *given)
                    rates[workers].append(TRIALS / _seconds(_loaded(Path(name), study, storage)))
            figures += _gains(place, rates)
        for place, storage in (("journal", "long.journal"), ("PostgreSQL", address)):
            _sweep(Path(name), "long", storage, MANY, *SHORT, "sweep.workers=2")
            figures.append(_growth(place, _loaded(Path(name), "long", storage)))
    return figures


def _gains(place: str, rates: dict[int, list[float]]) -> list[Figure]:
    behind = ", ".join(f"{w}: {statistics.median(rates[w]):.2f} trials/s" for w in WORKERS)
    first = rates[WORKERS[0]]
    return [
        figure(
            f"{place}: {workers} workers / 1 on function, trials per second",
            [many / one for many, one in zip(rates[workers], first, strict=True)],
            GAIN if workers <= (os.cpu_count() or 1) else 1,  # beyond the cores nothing is lost
            "higher",
            behind,
        )
        for workers in WORKERS[1:]
    ]


def _growth(place: str, study: Study) -> Figure:
    """The last thousand of ten thousand trials against the first thousand, by two workers."""
    ends = sorted(_time(trial.datetime_complete) for trial in study.get_trials(deepcopy=False))
    began = min(_time(trial.datetime_start) for trial in study.get_trials(deepcopy=False))
    first, last = ends[FEW - 1] - began, ends[-1] - ends[-FEW - 1]
    return figure(
        f"{place}: a trial at {MANY:,} / at {FEW:,} of 50 iterations, by 2 workers",
        [last / first],
        GROWTH,
        note=f"{1000 * last / FEW:.2f} ms against {1000 * first / FEW:.2f} ms",
    )


def _sweep(folder: Path, name: str, storage: str, trials: int, *given: str) -> None:
    """Run a random sweep in a process of its own.

    Raises:
        RuntimeError: it did not end with status 0; what it said follows.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "gdexp", "+sweep", "sweep.sampler=random"),
            *(f"sweep.name={name}", f"sweep.storage='{storage}'", f"sweep.n_trials={trials}"),
            *given,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the sweep ended with status {done.returncode}: {done.stderr}")


def _seconds(study: Study) -> float:
    trials = study.get_trials(deepcopy=False)
    began = min(_time(trial.datetime_start) for trial in trials)
    return max(_time(trial.datetime_complete) for trial in trials) - began


def _time(time: datetime | None) -> float:
    assert time is not None
    return time.timestamp()


def _loaded(folder: Path, name: str, storage: str) -> Study:
    """A study, read with Optuna alone."""
    import optuna

    from benchmarks.studies import loaded

    if storage.endswith(".journal"):
        return loaded(folder / storage, name)
    address = storage.replace("postgresql:", "postgresql+psycopg:")
    return optuna.load_study(study_name=name, storage=optuna.storages.RDBStorage(address))


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    """The address of a PostgreSQL of the benchmark's own."""
    with postgres(folder) as uri:
        yield uri.replace("postgresql+psycopg://", "postgresql://")
