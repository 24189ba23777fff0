"""Callbacks that report to gdexp from training loops of other libraries, which cannot yield.

They need the library that they are for, which gdexp does not install. Without a run of gdexp's
around it a callback does nothing.
"""

from __future__ import annotations

from typing import Any

from gdexp.training import report


def trainer_callback() -> Any:  # noqa: ANN401
    """Return a callback for the `Trainer` of Hugging Face's transformers.

    It reports what the trainer logs and evaluates (`loss`, `eval_loss`, `eval_accuracy`, …) at the
    step it is read, and stops the trainer once the run is over. The lines that change in a
    program::

        def fit(learning_rate=1e-4):
            arguments = TrainingArguments("out", learning_rate=learning_rate, eval_strategy="epoch")
            Trainer(model, arguments, ..., callbacks=[trainer_callback()]).train()

    Raises:
        ModuleNotFoundError: transformers is not installed: `pip install transformers`.
    """
    from transformers import TrainerCallback

    class ReportToGdexp(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args, state, control, logs=None, **others):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN003, ANN202
            if report(state.global_step, raises=False, **numbers(logs or {})):
                control.should_training_stop = True

    return ReportToGdexp()


def lightning_callback() -> Any:  # noqa: ANN401
    """Return a callback for the `Trainer` of Lightning.

    It reports all that the module logs, after each validation, and stops the trainer once the run
    is over. The lines that change in a program::

        def fit(learning_rate=1e-4):
            trainer = Trainer(max_epochs=10, callbacks=[lightning_callback()])
            trainer.fit(Module(learning_rate), data)

    Raises:
        ModuleNotFoundError: lightning is not installed: `pip install lightning`.
    """
    from lightning.pytorch import Callback

    class ReportToGdexp(Callback):  # type: ignore[misc]
        def on_validation_epoch_end(self, trainer, module):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if trainer.sanity_checking:  # a few batches before the training, to find mistakes
                return
            metrics = numbers(trainer.callback_metrics)
            if metrics and report(trainer.global_step, raises=False, **metrics):
                trainer.should_stop = True

    return ReportToGdexp()


def numbers(logged: dict[str, Any]) -> dict[str, float]:
    """Return the numbers among what a library logged, tensors of one number among them."""
    found = {}
    for name, value in logged.items():
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            continue
    return found
