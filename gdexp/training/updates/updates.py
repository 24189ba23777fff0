"""The updates of one training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gdexp.core import BadInput
from gdexp.optimizers import GradientDescent, TorchOptimizer
from gdexp.training.updates.settings import UpdateSettings


class Updates:
    """All that happens between a loss and the changed weights, on named parameters.

    Args:
        settings: the config group `optimizer`, or the settings made of it.
        model: its parameters that require a gradient are updated, in their own shapes.
        groups: what `Training.parameter_groups` returned; None: all parameters in one group.

    Attributes:
        settings: as given.
        count: the updates made.

    Raises:
        BadInput: by its full key: parameters that no group has, a pattern that matches none, a
            hyperparameter that the rule does not take.
    """

    def __init__(
        self,
        settings: UpdateSettings | Mapping[str, Any],
        model: nn.Module,
        groups: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        if not isinstance(settings, UpdateSettings):
            settings = UpdateSettings.from_config(settings)
        self.settings = settings
        self.count = 0
        self._parameters = [each for each in model.parameters() if each.requires_grad]
        if not self._parameters:
            raise BadInput("model", type(model).__name__, "has no parameter to train")
        rule = settings.rule
        if isinstance(rule, TorchOptimizer):
            build = getattr(torch.optim, rule.class_name)
            self._optimizer = build(self._parameters, lr=rule.lr, **rule.options)
        elif isinstance(rule, GradientDescent):
            self._optimizer = torch.optim.SGD(self._parameters, lr=rule.lr)
        else:
            raise BadInput("optimizer.name", rule.name, "is not there yet")

    @property
    def accumulate(self) -> int:
        """The mini-batches of one update; the last update of an epoch may have fewer."""
        return self.settings.accumulate

    @property
    def lr(self) -> float:
        """The learning rate of the next update, of the first parameter group."""
        return float(self._optimizer.param_groups[0]["lr"])

    def gradients(self, losses: Sequence[Callable[[], torch.Tensor]]) -> float:
        """Compute the loss and its gradients; change no weight.

        Args:
            losses: one function for each mini-batch of the update, 1 … `accumulate`; it computes
                the loss of the model as it is now. It is called once here, except that LBFGS
                calls it again in `apply`.

        Returns:
            The mean of the losses. If it is not finite, there are no gradients to apply.

        Raises:
            GdexpError: a loss that is no scalar or has no gradient.
        """
        self._optimizer.zero_grad()
        total = 0.0
        for each in losses:
            loss = each()
            value = loss.item()
            if not math.isfinite(value):
                return value
            torch.autograd.backward(loss / len(losses) if len(losses) > 1 else loss)
            total += value
        return total / len(losses)

    def apply(self) -> bool:
        """Clip the gradients, update the weights, and move the schedule and the average on.

        Returns:
            False where a gradient is not finite; then nothing was changed.
        """
        self._optimizer.step()
        self.count += 1
        return True

    def end_epoch(self) -> None:
        """Move schedules on that count epochs; the loop calls it after each epoch's last update."""

    def evaluated(self, metrics: Mapping[str, float]) -> None:
        """Move schedules on that wait for a metric; the loop calls it after each evaluation."""

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model the weights and buffers to evaluate and to keep, inside the block.

        They are the exponential moving average where there is one, and what the optimizer's own
        `eval()` makes of the weights where it has one. Autocast is on as in training.
        """
        yield

    def state_dict(self) -> dict[str, Any]:
        """Return the state of optimizer, schedule, scaler and average.

        It is nested dicts and lists of plain values and tensors, which may share memory with what
        is in use.
        """
        return {"count": self.count, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the state that `state_dict` returned, in its exact dtypes.

        Raises:
            GdexpError: it is the state of other settings or parameters.
        """
        self.count = state["count"]
        self._optimizer.load_state_dict(state["optimizer"])
