"""The callbacks for loops of other libraries, driven as these drive them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from gdexp import load_runs
from gdexp.cli import main
from gdexp.examples.callbacks import lightning_callback, trainer_callback

FIT = """
from tests.training.test_callbacks import driven

def fit(library="", lr=0.5):
    driven(library, lr)
"""


class StandIn:
    """The base class of a library's callbacks."""


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with the names that the callbacks import, where the libraries are not installed."""
    for name, base in (("transformers", "TrainerCallback"), ("lightning.pytorch", "Callback")):
        try:
            __import__(name)
        except ModuleNotFoundError:
            for part in (name.partition(".")[0], name):
                monkeypatch.setitem(sys.modules, part, ModuleType(part))
            monkeypatch.setattr(sys.modules[name], base, StandIn, raising=False)


def driven(library: str, lr: float, most: int = 100) -> int:
    """Call a callback as its library's trainer does at each step; return the steps made."""
    loss = 1.0
    if library == "transformers":
        callback = trainer_callback()
        state, control = SimpleNamespace(global_step=0), SimpleNamespace(should_training_stop=False)
        while not control.should_training_stop and state.global_step < most:
            loss *= 1 - lr
            state.global_step += 1
            logs = {"loss": loss, "learning_rate": lr, "note": "text", "eval_accuracy": 1 - loss}
            callback.on_log(None, state, control, logs=logs)
        return int(state.global_step)
    callback = lightning_callback()
    trainer: Any = SimpleNamespace(sanity_checking=True, should_stop=False, global_step=0)
    trainer.callback_metrics = {"eval_accuracy": torch.tensor(1.0)}
    callback.on_validation_epoch_end(trainer, None)  # the sanity check is no reading
    trainer.sanity_checking = False
    while not trainer.should_stop and trainer.global_step < most:
        loss *= 1 - lr
        trainer.global_step += 1
        trainer.callback_metrics = {"eval_accuracy": torch.tensor(1 - loss)}
        callback.on_validation_epoch_end(trainer, None)
    return int(trainer.global_step)


@pytest.mark.slow
@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("library", ["transformers", "lightning"])
def test_a_callback_counts_and_ends_the_loop_at_the_threshold(
    here: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    (here / "own_fit.py").write_text(FIT)
    monkeypatch.syspath_prepend(str(here))
    goal = ("stopping.metric=eval_accuracy", "stopping.mode=max", "stopping.threshold=0.9")
    own = ("problem=loop", "problem.path=own_fit.fit", f"problem.arguments.library={library}")
    assert main([*own, *goal]) == 0
    (run,) = load_runs()
    assert (run.status, run.iterations) == ("converged", 4)  # 1 - 0.5⁴ = 0.9375


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("library", ["transformers", "lightning"])
def test_without_a_run_a_callback_does_nothing(library: str) -> None:
    assert driven(library, 0.5, most=7) == 7


@pytest.mark.parametrize("made", [trainer_callback, lightning_callback])
def test_a_missing_library_is_named(
    made: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("transformers", "lightning", "lightning.pytorch"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    with pytest.raises(ModuleNotFoundError, match=r"transformers|lightning"):
        made()
