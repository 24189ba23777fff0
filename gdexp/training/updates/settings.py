"""The settings of a training's updates: the config group `optimizer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from gdexp.core import BadInput, validation
from gdexp.optimizers import UpdateRule, build_rule


@dataclass(frozen=True)
class UpdateSettings:
    """What happens between a loss and the changed weights.

    Args:
        rule: the update rule with its schedule.
        groups: parameter groups by pattern, each with `match` and hyperparameters of its own.
        clip_norm: the largest norm of all gradients together; None: any.
        clip_value: the largest size of one number of a gradient; None: any.
        accumulate: mini-batches per update, >= 1; their mean loss is minimised.
        ema: the decay of the exponential moving average of the weights that evaluations read, in
            [0, 1); None: they read the weights themselves.
        autocast: `bfloat16` or `float16`, the dtype of the operations that autocast chooses;
            float16 comes with a gradient scaler. None: no autocast.
    """

    rule: UpdateRule
    groups: Sequence[Mapping[str, Any]] | None = None
    clip_norm: float | None = None
    clip_value: float | None = None
    accumulate: int = 1
    ema: float | None = None
    autocast: str | None = None

    def __post_init__(self) -> None:
        for key in ("clip_norm", "clip_value"):
            if getattr(self, key) is not None:
                object.__setattr__(self, key, validation.positive(key, getattr(self, key)))
        validation.integer("accumulate", self.accumulate, low=1, high=10**6)
        if self.ema is not None:
            object.__setattr__(self, "ema", validation.fraction("ema", self.ema))
        groups: object = self.groups
        if groups is not None and not isinstance(groups, list | tuple):
            raise BadInput("groups", groups, "must be a list: [{match: '*.bias', weight_decay: 0}]")
        if self.autocast is not None:
            validation.choice("autocast", self.autocast, ("bfloat16", "float16"))

    @classmethod
    def from_config(cls, group: Mapping[str, Any], trust: Sequence[str] = ()) -> UpdateSettings:
        """Return the settings of the config group `optimizer`.

        Args:
            group: a plain config group.
            trust: import paths that may be used, as of `Experiment.from_config`.

        Raises:
            BadInput: the first value that cannot be used, by its full key.
        """
        own = {each.name for each in fields(cls)} - {"rule"}
        rule = build_rule({k: v for k, v in group.items() if k not in own}, trust)
        try:
            return cls(rule, **{key: group[key] for key in own if key in group})
        except BadInput as error:
            raise error.in_section("optimizer") from None
