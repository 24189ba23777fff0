"""What a loop of the user's own needs to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdexp.checkpoints import restore_generators


class Checkpoint(dict[str, Any]):
    """Tensors and numbers by name, from which a loop of the user's own can go on.

    ::

        def fit(lr, checkpoint: gdexp.Checkpoint | None = None):
            model, first = make(), 0
            if checkpoint is not None:
                model.load_state_dict(checkpoint["model"])
                first = checkpoint["epoch"] + 1
                checkpoint.restore_generators()
            for epoch in range(first, 100):
                loss = train_one_epoch(model, lr)
                yield {"loss": loss}, gdexp.Checkpoint(model=model.state_dict(), epoch=epoch)

    A yielded checkpoint is saved when it is time (`checkpoint.every`), or when a signal came. The
    argument `checkpoint` is None where a run begins.
    """

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        /,
        *,
        generators: Mapping[str, Any] | None = None,
        **named: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(values or {}, **named)
        self._generators = generators

    def restore_generators(self) -> None:
        """Set the generators of torch, Python and numpy as they were at the checkpoint."""
        if self._generators is not None:
            restore_generators(self._generators)
