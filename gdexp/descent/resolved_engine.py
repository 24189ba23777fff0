"""Which engine a descent will have, before it begins."""

from __future__ import annotations

import torch

from gdexp.core import GdexpError, printable_line
from gdexp.descent.portable import check_engine, kind_of_rule, refusal
from gdexp.engine import NotPortable, Plans
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem


def resolve_engine(
    problem: Problem,
    rule: UpdateRule,
    start: torch.Tensor,
    dtype: torch.dtype,
    device: torch.device,
    engine: str,
    plans: Plans | None = None,
    norms: bool = False,
) -> tuple[str, str | None]:
    """Return the engine that `descend` is to be given, and why `auto` takes torch.

    Args:
        problem: the problem.
        rule: the update rule.
        start: a start.
        dtype: of the descent.
        device: of the descent.
        engine: `auto`, `portable` or `torch`.
        plans: keeps what is recorded of the loss; None: the problem keeps it.
        norms: whether thresholds are of the gradient norm.

    Returns:
        `torch`, `portable`, or `auto` where the descent has a portable form: its first
        iterations, which are compared with torch, may still show that torch must compute it.

    Raises:
        BadInput: there is no such engine, or `engine` is portable and the descent is not.
    """
    if check_engine(engine) == "torch":
        return engine, None
    from gdexp.descent.portable import find_plan

    try:
        form = problem.portable_form()
        find_plan(form, rule, dtype, device, start.to("cpu", dtype), plans, norms)
    except NotPortable as error:
        if engine == "portable":
            raise refusal(error) from None
        return "torch", str(error)
    except GdexpError:
        raise
    except Exception as error:
        if engine == "portable":
            raise
        # With torch its first update fails in the same way, where such failures are expected.
        return "torch", f"its loss fails: {printable_line(str(error))}"
    return engine, None


def same_engine(rule: UpdateRule, other: UpdateRule) -> bool:
    """Return whether two rules have one engine wherever they are used: they differ in numbers."""
    return kind_of_rule(rule) == kind_of_rule(other)
