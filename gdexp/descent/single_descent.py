"""One descent, on the engine that is asked for."""

from __future__ import annotations

from contextlib import ExitStack

import torch

from gdexp.checkpoints import Checkpointing
from gdexp.core import validation
from gdexp.descent.chosen_engine import on_engine
from gdexp.descent.listener import listener_of
from gdexp.descent.loop import Watch, torch_descent
from gdexp.descent.measure import as_gaps, with_measure
from gdexp.descent.monitor import Monitor
from gdexp.descent.portable import portable_result
from gdexp.descent.result import Result
from gdexp.descent.saving import Saving
from gdexp.descent.starts import check_objects, starting_point, stopping_for
from gdexp.descent.stopping import Stopping
from gdexp.engine import Plans
from gdexp.optimizers import GradientDescent, UpdateRule
from gdexp.problems import Problem


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
    checkpoints: Checkpointing | None = None,
    measure: str | None = None,
) -> Result:
    """Minimise a problem with an update rule until the stopping rule ends the descent.

    The arguments, and what is raised, are those of `gdexp.descend`. `checkpoints` says where the
    descent is saved, and it goes on from there if it was saved; None: nowhere.
    """
    check_objects(problem, rule, stopping)
    rule = (GradientDescent() if rule is None else rule).for_problem(problem)
    stopping = stopping_for(problem, with_measure(stopping, measure))
    dtype, device = validation.dtype(dtype), validation.device(device)
    start = starting_point(problem, seed, x0)
    stopping = as_gaps(stopping, problem, start, dtype, device)
    listener = listener_of(stopping, monitor)
    with ExitStack() as stack:
        saving = None
        if checkpoints is not None:
            stack.enter_context(checkpoints.shielded())
            initial = start.to(device=device, dtype=dtype)
            saving = Saving(checkpoints, initial, stopping)

        def by_portable() -> Result:
            form = problem.portable_form()
            own = start if form is problem else starting_point(form, seed, x0)
            x = own.to("cpu", dtype)
            saves = None if saving is None or saving.engine == "torch" else saving
            return portable_result(form, rule, stopping, x, device, watch, listener, plans, saves)

        def by_torch() -> Result:
            if saving is not None and saving.engine == "portable":
                saving.begin_again()
            return torch_descent(
                problem, rule, stopping, start, dtype, device, watch, listener, saving
            )

        return on_engine(engine, start, device, by_portable, by_torch)
