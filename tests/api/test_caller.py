"""A call from Python leaves its process as it was, and needs nothing of the script."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
import torch

import gdexp
from gdexp.api.caller import called
from gdexp.display import terminal
from gdexp.sweeps.display.progress import Progress

CALL: dict[str, Any] = {"space": {"optimizer.lr": [0.5, 1.0]}}


def state() -> dict[str, Any]:
    """What a call might change of its process."""
    loggers = [logging.root, *(logging.getLogger(name) for name in ("optuna", "mlflow", "alembic"))]
    return {
        "environment": dict(os.environ),
        "path": [*sys.path],
        "argv": [*sys.argv],
        "folder": os.getcwd(),
        "handlers": [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "filters": [*warnings.filters],
        "loggers": [(each.level, each.propagate, [*each.handlers]) for each in loggers],
        "records": logging.getLogRecordFactory(),
        "hooks": (sys.unraisablehook, sys.excepthook, sys.stdout, sys.stderr),
        "optuna": optuna.logging.get_verbosity(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]
        "python": random.getstate(),
    }


@pytest.mark.slow
def test_a_call_changes_nothing_of_its_process(here: Path) -> None:
    import mlflow  # noqa: F401 (its loggers are made when it is imported)

    optuna.logging.set_verbosity(optuna.logging.INFO)
    torch.use_deterministic_algorithms(True)
    try:
        before = state()
        study = gdexp.sweep("gdexp.examples.digits.Digits", n_trials=1, **limits())
        assert state() == before
        gdexp.rerun(study.mlflow_run_id, trust=["gdexp.examples.digits.Digits"], record=False)
        gdexp.compare(study)
        gdexp.compose(["problem=booth"])
        assert state() == before
        with pytest.raises(gdexp.BadInput):
            gdexp.sweep("nothing")
        assert state() == before
    finally:
        torch.use_deterministic_algorithms(False)


def limits() -> dict[str, Any]:
    """A short training, sampled by a process that sets torch's threads."""
    return {
        "stopping": gdexp.Stopping(threshold=1e-3, max_iterations=3),
        "space": {"optimizer.lr": gdexp.log(0.01, 0.1)},
    }


@pytest.mark.slow
def test_calls_in_several_threads_need_no_signals_and_wait_for_each_other(here: Path) -> None:
    found: list[Any] = []

    def call() -> None:
        found.append(gdexp.sweep("quadratic", **CALL))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    call()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(each.trials == found[0].trials for each in found)  # the first made them
    assert len(found[0]) == 2


SCRIPT = """
import sys
import bowls
import gdexp
study = gdexp.sweep(bowls.Bowl(), space={"optimizer.lr": [0.1, 0.2, 0.3, 0.4]}, workers=2)
heavy = {"torch", "mlflow"} & set(sys.modules)
print(len(study), study.best.iterations, sorted(heavy))
"""

BOWLS = """
import gdexp


class Bowl(gdexp.Problem):
    shape = (2,)
    f_star = 0.0

    def loss(self, x):
        return (x**2).sum()
"""


@pytest.mark.slow
def test_workers_need_no_main_guard_and_find_modules_beside_the_script(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "script", tmp_path / "elsewhere"
    place.mkdir()
    elsewhere.mkdir()
    (place / "bowls.py").write_text(BOWLS)
    (place / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(place / "script.py")],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(gdexp.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 ")
    assert (elsewhere / "mlflow.db").exists()


@pytest.mark.slow
def test_an_interruption_is_given_to_the_caller_with_what_is_kept() -> None:
    from gdexp.core import Interrupted

    with pytest.raises(KeyboardInterrupt, match="3 of 9"), called():  # noqa: PT012
        error = Interrupted(signal.SIGINT)
        error.add_note("3 of 9 trials are recorded")
        raise error


def test_progress_is_below_the_cell_of_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Cell:
        def update(self, data: dict[str, str], raw: bool) -> None:
            shown.append(data["text/plain"])

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Cell:
        shown.append(data["text/plain"])
        return Cell()

    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    record = SimpleNamespace(status="converged", iterations=7, final_loss=0.0, threshold=1.0)
    with called(), Progress(terminal.console(), 2) as progress:
        progress.add(record, 7.0)
    assert "0/2 trials" in shown[0]
    assert "1/2 trials" in shown[-1]
    assert "7 iterations" in shown[-1]
    with called(progress=False), Progress(terminal.console(), 2):
        pass
    assert "1/2 trials" in shown[-1]
