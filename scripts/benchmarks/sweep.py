"""A tracked sweep against the stack that people write by hand: Optuna, MLflow, torch.optim."""

from __future__ import annotations

import contextlib
import io
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.measure import Figure, elsewhere, figure, one_thread
from gdexp.cli.main import main
from gdexp.problems.matrix import Matrix

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

TRIALS, FEW, EVERY = 300, 5, 15
TARGET = 1000
MOST = 100_000
SWEEP = ("+sweep", "sweep.sampler=random", "stopping.max_iterations=" + str(MOST))


def run(rounds: int) -> list[Figure]:
    """Seconds for a trial, all that it brings with it, the start of a sweep taken off."""
    ours, usual, notes = [], [], []
    with one_thread(), elsewhere():
        start_up = _start_up()
        _swept("warm", FEW, 0)
        for seed in range(rounds):
            start, _ = _swept(f"start{seed}", FEW, seed)
            seconds, trials = _swept(f"round{seed}", TRIALS, seed)
            ours.append((seconds - start) / (TRIALS - FEW))
            some = sorted(trials, key=_steps)[EVERY // 2 :: EVERY]
            usual.append(_by_hand(some, seed) / len(some))
            notes.append(statistics.mean(map(_steps, some)) / statistics.mean(map(_steps, trials)))
    return [
        figure(
            f"by hand / gdexp, time per trial of a {TRIALS}-trial random sweep",
            [hand / own for hand, own in zip(usual, ours, strict=True)],
            TARGET,
            "higher",
            f"{statistics.median(usual):.2f} s against {1000 * statistics.median(ours):.0f} ms; "
            f"start-up {start_up:.1f} s; the trials made by hand have "
            f"{statistics.median(notes):.2f} × the iterations of all",
        )
    ]


def _start_up() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch, mlflow, optuna"], check=True)
    return time.perf_counter() - began


def _swept(name: str, trials: int, seed: int) -> tuple[float, Sequence[FrozenTrial]]:
    """Run a sweep with the command's own main function; its seconds and trials."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    given = [*SWEEP, f"sweep.n_trials={trials}", f"sweep.name={name}", f"seed={seed}"]
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        status = main([*given, f"sweep.storage={name}.journal"])
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"the sweep ended with exit status {status}")
    storage = JournalStorage(JournalFileBackend(f"{name}.journal"))
    return seconds, optuna.load_study(study_name=name, storage=storage).get_trials()


def _steps(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["gdexp.record"]["iterations"])


def _by_hand(trials: Sequence[FrozenTrial], seed: int) -> float:
    """The same learning rates and thresholds in the usual way; seconds."""
    import mlflow
    import optuna

    mlflow.set_tracking_uri(f"sqlite:///{Path.cwd()}/by_hand.db")
    mlflow.set_experiment("by_hand")
    problem = Matrix()

    def objective(trial: Trial) -> int:
        """Descend with the trial's values and log each loss; return the iterations."""
        lr = trial.suggest_float("optimizer.lr", 1e-12, 1e12, log=True)
        threshold = trial.suggest_float("stopping.threshold", 1e-300, 1e3, log=True)
        with mlflow.start_run():
            mlflow.log_params({"lr": lr, "threshold": threshold, "seed": seed})
            x = problem.start(seed).requires_grad_(True)
            optimizer = torch.optim.SGD([x], lr=lr)
            for step in range(MOST + 1):
                loss = problem.loss(x)
                value = loss.item()
                mlflow.log_metric("loss", value, step=step)
                if value <= threshold or not np.isfinite(value) or step == MOST:
                    break
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            mlflow.log_metric("iterations", step)
            np.save("final.npy", x.detach().numpy())
            mlflow.log_artifact("final.npy")
        return step

    study = optuna.create_study()
    for trial in trials:
        study.enqueue_trial(dict(trial.params))
    began = time.perf_counter()
    study.optimize(objective, n_trials=len(trials))
    return time.perf_counter() - began
