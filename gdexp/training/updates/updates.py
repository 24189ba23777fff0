"""The updates of one training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gdexp.core import BadInput, GdexpError
from gdexp.optimizers import (
    TorchOptimizer,
    check_options,
    needs_closure,
    switch_optimizer,
)
from gdexp.training.updates.average import Average
from gdexp.training.updates.finite_gradients import all_finite
from gdexp.training.updates.groups import Group, groups_by_pattern, groups_of_user
from gdexp.training.updates.optimizer_state import load_optimizer_state, optimizer_state
from gdexp.training.updates.rates import rates_of
from gdexp.training.updates.rule_optimizer import RuleOptimizer
from gdexp.training.updates.settings import UpdateSettings

Losses = Sequence[Callable[[], torch.Tensor]]
"""One function for each mini-batch of an update; it computes the loss of the model as it is."""


class Updates:
    """All that happens between a loss and the changed weights, on named parameters.

    Args:
        settings: the config group `optimizer`, or the settings made of it.
        model: its parameters that require a gradient are updated, in their own shapes.
        groups: what `Training.parameter_groups` returned; None: all parameters in one group.

    Attributes:
        settings: as given.
        optimizer: the optimizer, torch's or gdexp's own rule behind torch's interface.
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
        try:
            self._groups = self._made_groups(model, groups)
            self.optimizer = self._made_optimizer()
            switch_optimizer(self.optimizer, "train")
            self._has_closure = needs_closure(self.optimizer)
            self._check_closure()
        except BadInput as error:
            own = error.key == "problem"
            raise error if own else error.in_section("optimizer") from error.__cause__
        self._members = [each for group in self._groups for each in group.parameters]
        try:
            self._rates = rates_of(settings.rule.schedule, self.optimizer)
        except BadInput as error:
            raise error.in_section("optimizer.schedule") from None
        self._average = None if settings.ema is None else Average(model, settings.ema)
        self._device = self._members[0].device.type
        self._autocast = None if settings.autocast is None else getattr(torch, settings.autocast)
        self._scaler = (
            torch.amp.GradScaler(self._device) if self._autocast is torch.float16 else None
        )
        self._pending: tuple[Losses, torch.Tensor] | None = None

    @property
    def accumulate(self) -> int:
        """The mini-batches of one update; the last update of an epoch may have fewer."""
        return self.settings.accumulate

    @property
    def averages(self) -> bool:
        """Whether `averaged` gives other weights than those that are trained."""
        return self._average is not None or callable(getattr(self.optimizer, "eval", None))

    @property
    def lr(self) -> float:
        """The learning rate of the next update, of the first parameter group."""
        return float(self.optimizer.param_groups[0].get("lr") or 0.0)

    def gradients(self, losses: Losses) -> float:
        """Compute the loss and its gradients; change no weight.

        Args:
            losses: one for each mini-batch of the update, 1 … `accumulate`. Each is called once
                here; an optimizer that evaluates again, such as LBFGS, calls them in `apply`.

        Returns:
            The mean of the losses. If it is not finite, there are no gradients to apply.

        Raises:
            BadInput: a loss that is no scalar tensor with a gradient.
        """
        self.optimizer.zero_grad()
        value, loss = self._backward(losses)
        self._pending = (losses, loss) if self._has_closure else None
        return value

    def apply(self) -> bool:
        """Clip the gradients, update the weights, and move the schedule and the average on.

        Returns:
            False where a gradient is not finite; then nothing was changed. With a gradient scaler
            such an update is left out, the scale lowered, and the answer is True.

        Raises:
            GdexpError: the optimizer failed.
        """
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        finite = self._clipped()
        if not finite and self._scaler is None:
            return False
        try:
            self._step()
        except Exception as error:
            lines = str(error).splitlines() or ["no message"]
            name = type(self.optimizer).__name__
            raise GdexpError(f"optimizer={name}: its step failed: {lines[0]}") from error
        self.count += 1
        self._rates.after_update(self.count)
        if self._average is not None:
            self._average.update()
        return True

    def end_epoch(self) -> None:
        """Move schedules on that count epochs; the loop calls it after each epoch's last update."""
        self._rates.after_epoch()

    def evaluated(self, metrics: Mapping[str, float]) -> None:
        """Move schedules on that count evaluations; the loop calls it after each.

        Args:
            metrics: all of the evaluation, and `loss`.
        """
        self._rates.after_evaluation(metrics)

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Compute in autocast inside the block, where the settings say so."""
        if self._autocast is None:
            yield
            return
        with torch.autocast(self._device, self._autocast):
            yield

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Give the model the weights and buffers to evaluate and to keep, inside the block.

        They are the exponential moving average where there is one, and what the optimizer's own
        `eval` makes of the weights where it has one. After the block all weights have the bits
        that they had before. Autocast is on as in training.
        """
        switches = callable(getattr(self.optimizer, "eval", None))
        kept = [each.detach().clone() for each in self._members] if switches else []
        if switches:
            switch_optimizer(self.optimizer, "eval")
        try:
            if self._average is not None:
                self._average.swap()
            with self.autocast():
                yield
        finally:
            if self._average is not None:
                self._average.swap()
            if switches:
                switch_optimizer(self.optimizer, "train")
                with torch.no_grad():
                    for parameter, value in zip(self._members, kept, strict=True):
                        parameter.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of optimizer, schedule, scaler and average.

        It is nested dicts and lists of plain values and tensors, which may share memory with what
        is in use.
        """
        return {
            "count": self.count,
            "optimizer": optimizer_state(self.optimizer, self._groups),
            "schedule": self._rates.state_dict(),
            "scaler": None if self._scaler is None else self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the state that `state_dict` returned, in its exact dtypes.

        Raises:
            GdexpError: it is the state of other settings or parameters.
        """
        for key, own in (("scaler", self._scaler), ("average", self._average)):
            if (state[key] is None) != (own is None):
                raise GdexpError(f"the checkpoint was made with other settings of its {key}")
        load_optimizer_state(self.optimizer, self._groups, state["optimizer"])
        self._rates.load_state_dict(state["schedule"])
        if self._scaler is not None:
            self._scaler.load_state_dict(dict(state["scaler"]))
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.count = state["count"]

    def _backward(self, losses: Losses, trying: bool = False) -> tuple[float, torch.Tensor]:
        """Add up the gradients; return the mean loss as a number and as a tensor.

        Args:
            losses: as in `gradients`.
            trying: whether a line search asks, which goes on where a loss is not finite.
        """
        total, share = 0.0, len(losses)
        parts: list[torch.Tensor] = []
        for each in losses:
            with self.autocast():
                loss = each()
            value = _checked(loss)
            total += value
            part = loss / share if share > 1 else loss
            parts.append(part.detach())
            if not (trying or math.isfinite(value)):
                break
            torch.autograd.backward(part if self._scaler is None else self._scaler.scale(part))
        return total / share, parts[0] if share == 1 else sum(parts, torch.zeros(()))

    def _clipped(self) -> bool:
        """Clip the gradients; return whether they were finite."""
        gradients = [each.grad for each in self._members if each.grad is not None]
        limit, largest = self.settings.clip_norm, self.settings.clip_value
        if limit is not None:
            norm = torch.nn.utils.clip_grad_norm_(self._members, limit)
            finite = bool(norm.isfinite()) or all_finite(gradients)
        else:
            finite = all_finite(gradients)
        if largest is not None and finite:
            torch.nn.utils.clip_grad_value_(self._members, largest)
        return finite

    def _step(self) -> None:
        if self._pending is not None:
            losses, first = self._pending
            self._pending = None
            self.optimizer.step(self._closure(losses, first))
        elif self._scaler is not None:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        else:
            self.optimizer.step()

    def _closure(self, losses: Losses, first: torch.Tensor) -> Callable[[], Any]:
        """Return the function that torch's optimizers call; its first call is already done."""
        known: list[torch.Tensor] = [first]

        def closure() -> torch.Tensor:
            if known:
                return known.pop()
            self.optimizer.zero_grad()
            return self._backward(losses, trying=True)[1]

        return closure

    def _made_groups(
        self, model: nn.Module, given: Sequence[Mapping[str, Any]] | None
    ) -> list[Group]:
        if given is None:
            return groups_by_pattern(model, self.settings.groups, self._checked)
        if self.settings.groups:
            raise BadInput("groups", self.settings.groups, "the training makes its own groups")
        return groups_of_user(model, given)

    def _checked(self, key: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check the hyperparameters of a group from the config."""
        rule = self.settings.rule
        if isinstance(rule, TorchOptimizer):
            rate = {"lr": _rate(f"{key}.lr", options["lr"])} if "lr" in options else {}
            others = {k: v for k, v in options.items() if k != "lr"}
            return {**rate, **check_options(rule.class_name, others, key)}
        try:
            return RuleOptimizer([{"params": [torch.zeros(1)]}], rule).checked(options)
        except BadInput as error:
            raise error.in_section(key) from None

    def _made_optimizer(self) -> torch.optim.Optimizer:
        rule = self.settings.rule
        groups = [{"params": list(each.parameters), **each.options} for each in self._groups]
        if not isinstance(rule, TorchOptimizer):
            return RuleOptimizer(groups, rule)
        try:
            return rule.make_for(groups)
        except BadInput:
            raise
        except Exception as error:  # classes raise errors of many types
            lines = str(error).splitlines() or [type(error).__name__]
            raise BadInput("class_name", rule.class_name, f"it refused: {lines[0]}") from error

    def _check_closure(self) -> None:
        """Refuse what an optimizer that evaluates the loss itself cannot do."""
        if not self._has_closure:
            return
        name = type(self.optimizer).__name__
        for key in ("clip_norm", "clip_value"):
            if getattr(self.settings, key) is not None:
                why = f"{name} evaluates the gradient itself; leave it null"
                raise BadInput(key, getattr(self.settings, key), why)
        if self.settings.autocast == "float16":
            raise BadInput("autocast", "float16", f"{name} cannot use its gradient scaler")


def _rate(key: str, value: object) -> float:
    from gdexp.core import validation

    return validation.non_negative(key, value)


def _checked(loss: object) -> float:
    """Return a loss as a number.

    Raises:
        BadInput: it is no scalar tensor with a gradient.
    """
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        shape = f"shape {tuple(loss.shape)}" if isinstance(loss, torch.Tensor) else repr(loss)[:40]
        raise BadInput("problem", "loss", f"must return a tensor with one number, not {shape}")
    if not loss.requires_grad:
        raise BadInput("problem", "loss", "has no gradient: it does not depend on the weights")
    return float(loss.item())
