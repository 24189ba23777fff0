"""The registry of schedules, by the names that `optimizer/schedule=` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gdexp import config
from gdexp.optimizers.optimal_constant import OptimalConstant
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
from gdexp.optimizers.silver import Silver
from gdexp.optimizers.torch_schedules import TorchSchedule
from gdexp.optimizers.warmup_cosine import WarmupCosine

ONE_CYCLE = "onecycle"
"""The name of torch's OneCycleLR."""

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
        Silver,
        OptimalConstant,
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
        ONE_CYCLE: one_cycle,
        CUSTOM: custom_schedule,
    }
    return config.choose("schedule", known, given)


def one_cycle(
    total_steps: int,
    max_lr: float | None = None,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    cycle_momentum: bool = False,
) -> Schedule:
    """Return torch's OneCycleLR, for `optimizer/schedule=onecycle`.

    L. N. Smith, N. Topin, Super-convergence: very fast training of neural networks using large
    learning rates, 2018.

    Args:
        total_steps: updates of the cycle; there are no more.
        max_lr: the largest rate; None: `lr`, of each parameter group.
        pct_start: the share of the updates in which the rate rises.
        div_factor: the first rate is `max_lr / div_factor`.
        final_div_factor: the last rate is the first, divided by it.
        cycle_momentum: whether momentum falls while the rate rises; for rules that have one.
    """
    options = {
        "total_steps": total_steps,
        "max_lr": max_lr,
        "pct_start": pct_start,
        "div_factor": div_factor,
        "final_div_factor": final_div_factor,
        "cycle_momentum": cycle_momentum,
    }
    return TorchSchedule("OneCycleLR", options)


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
