"""The engine of a descent: a rule that depends on problem, update rule, dtype and device alone.

A descent is portable where each of its operations has a portable form, in float32 or float64, and
where no array of its programs is larger than `LARGEST`. A matrix product has an array of all its
single products, so large ones stay with torch, whose kernels are faster there.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from functools import lru_cache, partial
from threading import get_ident
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

from gdexp.core import BadInput, GdexpError, printable_line, validation
from gdexp.engine import (
    GRADIENT_NORM,
    LARGEST,
    Block,
    InterpretedEngine,
    Kept,
    NotPortable,
    Plan,
    Plans,
    Prepared,
    Program,
    Rows,
    evaluation_for,
    leaf,
    plan_for,
    plans_of,
)
from gdexp.optimizers import UpdateRule
from gdexp.problems import Problem, first_loss

if TYPE_CHECKING:
    from gdexp.engine import CompiledPlans

T = TypeVar("T")

ENGINES = ("auto", "portable", "torch")

LONGEST = 20_000
"""Operations of a portable program."""


class Engine(Protocol):
    """What computes blocks of iterations: `NativeEngine` or `InterpretedEngine`."""

    plan: Plan

    def advance(self, rows: Rows, block: Block) -> None:
        """Make a block of iterations."""


def find_plan(
    problem: Problem,
    rule: UpdateRule,
    dtype: torch.dtype,
    device: torch.device,
    x: torch.Tensor,
    plans: Plans | None = None,
    norms: bool = False,
) -> Kept:
    """Return the plan of a descent, made if it is new.

    Args:
        problem: the problem.
        rule: the update rule; its numbers do not matter.
        dtype: of the descent.
        device: of the descent.
        x: a start.
        plans: where plans are kept; by default the problem's own.
        norms: whether thresholds are of the gradient norm.

    Raises:
        NotPortable: an operation has no portable form, the dtype has none, or torch is faster.
    """
    if dtype not in (torch.float32, torch.float64):
        raise NotPortable(f"{str(dtype).removeprefix('torch.')} has no portable form")
    if type(rule).stepper is not UpdateRule.stepper:
        raise NotPortable(f"{type(rule).__name__} has no portable form")
    if device.type not in ("cpu", "cuda"):
        raise NotPortable(f"device {device.type} is not known to be portable")

    def make(loss: Program) -> Plan:
        plan = _recorded(lambda: plan_for(problem, rule, dtype, x, loss))
        check_size(plan)
        return plan

    kept = plans_of(problem) if plans is None else plans
    kind: tuple[Hashable, ...] = dtype, tuple(x.shape)
    if norms:
        kind = (*kind, GRADIENT_NORM)
    loss = partial(_loss, problem, dtype, x, norms)
    return kept.get(problem, kind, kind_of_rule(rule), loss, make)


def kind_of_rule(rule: UpdateRule) -> Hashable:
    """Return what a rule's recording depends on; rules that share it differ in numbers alone."""
    return type(rule), booleans(rule), rule.name


def booleans(rule: UpdateRule) -> tuple[bool | None, ...]:
    """Return the coefficients of a rule that choose a formula; None for those that are numbers."""
    return tuple(each if isinstance(each, bool) else None for each in rule.coefficients(1))


def check_size(plan: Plan) -> None:
    """Refuse a plan whose iteration torch's own kernels compute faster.

    Raises:
        NotPortable: it is too large.
    """
    for program in (plan.evaluate, plan.update):
        if len(program.nodes) > LONGEST:
            raise NotPortable(f"{len(program.nodes):,} operations: torch is faster")
        largest = max(program.nodes, key=lambda node: node.size)
        if largest.size > LARGEST:
            raise NotPortable(
                f"an array of {largest.size:,} numbers ({largest.operation}): torch is faster"
            )


def nanoseconds(prepared: Prepared) -> float:
    """Return a guess at the time of an iteration of one row, from above."""
    if prepared.nanoseconds is None:
        prepared.nanoseconds = _guess(prepared.plan)
    return prepared.nanoseconds


def _guess(plan: Plan) -> float:
    return 10 + sum(node.size for program in (plan.evaluate, plan.update) for node in program.nodes)


def runner(prepared: Prepared, device: torch.device, threads: int, optimise: bool = True) -> Engine:
    """Return what computes a plan's descents on a device.

    Native code where it can be loaded; else, and on a GPU, torch's single operations. Without
    `optimise` the code is made soon rather than fast.
    """
    key = (str(device), threads, get_ident())  # an engine makes one call at a time
    found: Engine | None = prepared.engines.get(key)
    if found is None:
        found = prepared.engines[key] = _made(prepared.plan, device, threads, optimise)
    return found


def check_engine(engine: object) -> str:
    """Return the name of an engine.

    Raises:
        BadInput: there is no such engine.
    """
    return validation.choice("engine", engine, ENGINES)


def refusal(error: NotPortable) -> BadInput:
    """Return what `engine=portable` says of a descent that is not."""
    return BadInput("engine", "portable", f"cannot be: {error}; use engine=auto or engine=torch")


def _made(plan: Plan, device: torch.device, threads: int, optimise: bool) -> Engine:
    if device.type != "cpu":
        return InterpretedEngine(plan, device)
    from gdexp.engine import NativeEngine, available

    unavailable = available()
    if unavailable is None:
        compiled = _compiled(plan.sha256)
        return NativeEngine(plan, threads=threads, compiled=compiled, optimise=optimise)
    warnings.warn(
        f"portable descents have the same bits, but are slower: {unavailable}",
        RuntimeWarning,
        stacklevel=2,
    )
    return InterpretedEngine(plan)


@lru_cache(maxsize=64)
def _compiled(sha256: str) -> CompiledPlans:
    """Return where the machine code of a plan is kept, so that equal plans are compiled once."""
    from gdexp.engine import CompiledPlans

    return CompiledPlans()


def _loss(problem: Problem, dtype: torch.dtype, x: torch.Tensor, norms: bool) -> Program:
    """Return the program of a loss that is a scalar function of x and leaves x alone.

    Raises:
        BadInput: it is not.
        NotPortable: there is no program.
    """
    cpu = torch.device("cpu")
    with torch.enable_grad():
        first_loss(problem.to(dtype, cpu), leaf(x.to(cpu, dtype)))
        return _recorded(lambda: evaluation_for(problem, dtype, x, norms))


def _recorded(record: Callable[[], T]) -> T:
    """Return what is recorded.

    Raises:
        NotPortable: it has no portable form, or does not bear being watched; torch may compute it.
    """
    with torch.enable_grad():
        try:
            return record()
        except GdexpError:
            raise
        except Exception as error:
            raise NotPortable(f"its recording failed: {printable_line(str(error))}") from error


def double_loss(prepared: Prepared, problem: Problem, x: torch.Tensor) -> Program:
    """Return the program of the loss in float64, made once for a plan.

    Raises:
        NotPortable: there is none.
    """
    if prepared.double is None:
        try:
            prepared.double = evaluation_for(problem, torch.float64, x)
        except NotPortable as error:
            prepared.double = error
    if isinstance(prepared.double, NotPortable):
        raise prepared.double
    return prepared.double


Check = Callable[[torch.Tensor], None]
"""It raises `NotPortable` where a plan and torch disagree at a point."""


def check_of(problem: Problem, plan: Plan) -> Check:
    """Return what compares a plan with torch's own loss and gradient."""
    from gdexp.engine import check_against_torch

    def check(x: torch.Tensor) -> None:
        with torch.enable_grad():
            check_against_torch(plan, problem, x)

    return check
