"""The default sweep as it is typed, start to finish, against the imports of its libraries."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.measure import Figure, by_turns, figure

TARGET = 1.6


def run(rounds: int) -> list[Figure]:
    """On a database that is there; every round is a study of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    with tempfile.TemporaryDirectory() as folder:

        def seconds(*arguments: str) -> float:
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments],
                cwd=folder,
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            return time.perf_counter() - began

        studies = iter(range(rounds + 1))
        times = by_turns(
            {
                "imports": lambda: seconds("-c", "import torch, mlflow, optuna"),
                "sweep": lambda: seconds("-m", "gdexp", "+sweep", f"sweep.name=s{next(studies)}"),
            },
            rounds,
        )
    imports, sweeps = times["imports"], times["sweep"]
    return [
        figure(
            "default +sweep / importing torch, mlflow and optuna",
            [whole / part for whole, part in zip(sweeps, imports, strict=True)],
            TARGET,
            note=f"{statistics.median(sweeps):.1f} s; "
            f"import torch, mlflow, optuna {statistics.median(imports):.1f} s",
        )
    ]
