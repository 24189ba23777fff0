"""`gdexp.descend`, which can record, and `gdexp.compose`: configs as objects."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from gdexp import descent
from gdexp.api.caller import called
from gdexp.api.composition import Composer, as_arguments
from gdexp.api.object_config import (
    ObjectConfig,
    plain,
    problem_config,
    stopping_config,
)
from gdexp.api.rule_config import optimizer_config
from gdexp.api.settings import tracking_lines
from gdexp.cli import run_config
from gdexp.config import COMMANDS, literal
from gdexp.core import BadInput, giving
from gdexp.descent import Monitor, Result, Stopping, Watch, with_measure
from gdexp.engine import Plans
from gdexp.experiment import Experiment, trusted_paths
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


def compose(overrides: Sequence[str] = ()) -> Experiment:
    """Return what overrides of the command line describe, as objects; nothing is run.

    ::

        import gdexp

        experiment = gdexp.compose(["problem=quadratic", "optimizer.lr=1.9"])
        result = gdexp.descend(experiment.problem, experiment.rule, experiment.stopping)

    Args:
        overrides: such as `problem=quadratic`, in Hydra's grammar.

    Returns:
        An object with `problem`, `rule`, `stopping`, `seed`, `dtype`, `device` and the whole
        `config`. Its `run` makes the descent or training, without a record.

    Raises:
        BadInput: a key or value that cannot be used.
    """
    if isinstance(overrides, str):
        raise BadInput("overrides", overrides, "must be a list: ['problem=quadratic']")
    for each in overrides:
        if str(each).lstrip("+").partition("=")[0] in COMMANDS:
            raise BadInput("overrides", each, "is a command; a config has none")
    with called():
        composed = Composer().plain(as_arguments(overrides))
        return Experiment.from_config(composed, trusted_paths(composed))


def descend(
    problem: Problem,
    rule: UpdateRule | None = None,
    stopping: Stopping | None = None,
    *,
    seed: int = 0,
    x0: object = None,
    dtype: torch.dtype | str = torch.float32,
    device: torch.device | str = "cpu",
    watch: Watch | None = None,
    monitor: Monitor | None = None,
    engine: str = "auto",
    plans: Plans | None = None,
    record: bool = False,
    tracking: str | os.PathLike[str] | None = None,
    measure: str | None = None,
) -> Result:
    """Minimise a problem with an update rule until the stopping rule ends the descent.

    ::

        from gdexp import GradientDescent, Matrix, Stopping, descend

        result = descend(Matrix(), GradientDescent(lr=1.0), Stopping(threshold=1e-5))
        print(result)

    Args:
        problem: the problem.
        rule: the update rule; by default plain gradient descent with lr 1.
        stopping: the stopping rule; by default threshold 1e-5 and at most 100,000 iterations.
        seed: the seed of the start of a problem without x0; 0 … 2^63 − 1.
        x0: the start, in place of the problem's; a tensor, array or list of its shape.
        dtype: float32 (default), float64, float16 or bfloat16.
        device: cpu (default), cuda or cuda:N.
        watch: a callback, called at iteration 0 and then at the iterations that it returns. It
            begins again where the first descent of a problem shows that torch must compute it.
        monitor: hears the loss at iteration 0 and after every `stopping.every` updates, and may
            end the descent.
        engine: `auto` (default): portable where each operation has a portable form and an
            iteration is cheaper so, else torch, with the reason in the result; `portable`: one
            arithmetic with the same bits on every machine; `torch`: torch's own kernels.
        plans: keeps what was recorded of the loss for later descents; by default the problem
            keeps it.
        record: whether the descent is recorded in MLflow, as `python -m gdexp` does it. The
            result then has the id of the run, `run_id`.
        tracking: the file or address of MLflow's store; None: that of `MLFLOW_TRACKING_URI`, or
            `mlflow.db` in the current directory.
        measure: what the threshold is of, in place of `stopping.measure`: `gap`, `gradient_norm`
            or `relative`.

    Raises:
        BadInput: a value cannot be used, or the loss is not a scalar function of x; or it has no
            portable form and `engine` is portable.
        GdexpError: the device has too little memory.
        StorageFailed: MLflow's store refused the record.
    """
    if stopping is not None and not isinstance(stopping, Stopping):
        raise BadInput("stopping", stopping, "must be an object, such as gdexp.Stopping(1e-5)")
    stopping = with_measure(stopping, measure)
    if not record:
        return descent.descend(
            problem,
            rule,
            stopping,
            seed=seed,
            x0=x0,
            dtype=dtype,
            device=device,
            watch=watch,
            monitor=monitor,
            engine=engine,
            plans=plans,
        )
    for key, value in (("watch", watch), ("monitor", monitor), ("plans", plans)):
        if value is not None:
            raise BadInput(key, value, "only without record: a recorded descent can be repeated")
    fixed = {"seed": seed, "dtype": _word(dtype), "device": str(device), "engine": engine}
    with called():
        chosen = problem_config(problem)
        chosen += optimizer_config(rule) if rule is not None else ObjectConfig()
        chosen += stopping_config(stopping) if stopping is not None else ObjectConfig()
        lines = [*chosen.lines, *tracking_lines(tracking)]
        lines += [] if x0 is None else [f"problem.x0={literal(plain(x0))}"]
        lines += [f"{key}={literal(value)}" for key, value in fixed.items()]
        with giving(chosen.objects):
            return run_config(Composer().plain(as_arguments(lines)))


def _word(dtype: torch.dtype | str) -> str:
    return str(dtype).removeprefix("torch.")
