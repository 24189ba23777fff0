"""The registry of schedules, by the names that `optimizer/schedule=` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gdexp import config
from gdexp.optimizers.own_classes import CUSTOM, keywords, made_by_path
from gdexp.optimizers.schedules import (
    Chebyshev,
    Constant,
    Cosine,
    InverseEigenvalue,
    InverseTime,
    Schedule,
    StepDecay,
    Warmup,
)
from gdexp.optimizers.torch_schedules import TorchSchedule
from gdexp.optimizers.warmup_cosine import WarmupCosine

SCHEDULES: dict[str, type[Schedule]] = {
    cls.name: cls
    for cls in (
        Constant,
        InverseTime,
        Cosine,
        StepDecay,
        Warmup,
        WarmupCosine,
        Chebyshev,
        InverseEigenvalue,
    )
}
"""gdexp's own schedules; `torch` and `custom` stand for classes that a config names."""


def build_schedule(given: Mapping[str, object]) -> Schedule:
    """Return the schedule that a mapping describes, such as `{"name": "cosine", "steps": 100}`.

    Raises:
        BadInput: a name or key does not exist, or the schedule refuses a value; the key has the
            form `schedule.KEY`.
    """
    known: dict[str, Callable[..., Schedule]] = {
        **SCHEDULES,
        TorchSchedule.name: TorchSchedule,
        CUSTOM: custom_schedule,
    }
    return config.choose("schedule", known, given)


def custom_schedule(path: str, arguments: Mapping[str, object] | None = None) -> Schedule:
    """Return the schedule of a user's own class, for `optimizer/schedule=custom`.

    Args:
        path: `package.module.attribute` of a subclass of `Schedule`.
        arguments: its keyword arguments.

    Raises:
        BadInput: the path names no such class, or the class refuses an argument.
    """
    made: Schedule = made_by_path(path, Schedule, keywords(arguments))
    return made
