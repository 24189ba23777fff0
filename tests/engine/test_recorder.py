"""What a recording finds and what it refuses."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gdexp.engine.agreement import check_against_torch
from gdexp.engine.interpreter import Interpreter
from gdexp.engine.lowering import table
from gdexp.engine.make_plan import evaluation_for, plan_for, program_of
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.recorder import record
from gdexp.optimizers import GradientDescent
from gdexp.problems import FunctionProblem

X = torch.tensor([0.5, -1.25, 2.0], dtype=torch.float64)
Loss = Callable[[torch.Tensor], torch.Tensor]


def refused(loss: Loss) -> NotPortable:
    with pytest.raises(NotPortable) as caught:
        evaluation_for(FunctionProblem(loss, x0=X), torch.float64, X)
    return caught.value


class Counting:
    """A loss that changes with the number of its calls."""

    def __init__(self, calls: int) -> None:
        self.until = calls

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self.until -= 1
        return (x * x).sum() * (2.0 if self.until < 0 else 1.0)


class NumpySine(torch.autograd.Function):
    """A sine that numpy computes, out of torch's sight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(np.asarray(x.detach().numpy())))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return torch.from_numpy(np.cos(x.detach().numpy()) * grads[0].numpy())


class HiddenSine(torch.autograd.Function):
    """The same through a way that no mode sees."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return torch.tensor([np.sin(_unseen(x))])

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        return torch.tensor([np.cos(_unseen(x)), 0.0, 0.0])


def _unseen(x: torch.Tensor) -> float:
    with torch._C.DisableTorchFunction():
        return float(torch.Tensor.tolist(x)[0])


def branch(x: torch.Tensor) -> torch.Tensor:
    return (x * x).sum() if x[0].item() > 0 else x.abs().sum()


PLANTS: dict[str, tuple[Loss, str]] = {
    "item": (branch, "_local_scalar_dense"),
    "branch": (lambda x: x.sum() if x.sum() > 0 else -x.sum(), "_local_scalar_dense"),
    "float": (lambda x: x.sum() * float(x[0]), "_local_scalar_dense"),
    "tolist": (lambda x: (x * torch.tensor(x.tolist())).sum(), "Tensor.tolist"),
    "numpy": (lambda x: x.sum() * float(x.detach().numpy()[0]), "Tensor.numpy"),
    "numpy's asarray": (lambda x: x.sum() * float(np.asarray(x.detach())[0]), "Tensor.__array__"),
    "numpy in a function": (lambda x: NumpySine.apply(x).sum(), "Tensor.numpy"),
    "hidden numpy": (lambda x: HiddenSine.apply(x).sum(), "depend on x"),
    "hidden list": (lambda x: x.sum() * _unseen(x), "depend on x"),
    "hidden branch": (lambda x: x.sum() if _unseen(x) > 0.505 else x.prod(), "depend on x"),
    "counter": (Counting(1), "at one point differ"),
    "late counter": (Counting(2), "at one point differ"),
    "random": (lambda x: (x * torch.rand(3)).sum(), ""),
    "equal": (lambda x: x.sum() if torch.equal(x, X) else x.prod(), "aten::equal"),
    "nonzero": (lambda x: x[x > 0].sum(), "aten::index: an index that depends on x"),
    "solve": (lambda x: torch.linalg.solve(torch.eye(3, dtype=x.dtype) * x, X).sum(), "linalg_sol"),
    "double": (lambda x: x.float().sum().double(), "_to_copy"),
    "changes x": (lambda x: x.detach().mul_(2).sum() + x.sum(), "in place"),
    "sort": (lambda x: x.sort().values[0], "sort"),
    "hidden by try": (lambda x: _caught(x), "_local_scalar_dense"),
    "another dtype": (lambda x: (x * torch.tensor(2.0, dtype=torch.bfloat16)).sum(), "bfloat16"),
    "constant loss": (lambda x: torch.tensor(1.0), "depends on x"),
    "raises": (lambda x: x.view(7), "RuntimeError"),
}


def _caught(x: torch.Tensor) -> torch.Tensor:
    try:
        return x.sum() * x[0].item()
    except Exception:
        return x.sum()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_recording_that_would_be_wrong_is_refused(plant: str) -> None:
    loss, reason = PLANTS[plant]
    if plant == "random":  # the state is restored, so both recordings draw the same numbers
        generator = torch.Generator().manual_seed(0)

        def loss(x: torch.Tensor) -> torch.Tensor:
            return (x * torch.rand(3, generator=generator, dtype=x.dtype)).sum()

        reason = "at one point differ"

    assert reason in str(refused(loss))


def test_the_reason_names_the_operation_and_the_line() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        return torch.linalg.det(y * torch.eye(3, dtype=x.dtype))

    found = refused(loss)

    assert found.reason == "aten::_linalg_det has no portable form"
    assert found.place is not None
    assert found.place.file == __file__
    assert found.place.line == loss.__code__.co_firstlineno + 2


def test_an_operation_of_the_backward_pass_is_placed_at_its_forward_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(table._handlers(), "aten::tanh_backward")

    def loss(x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y = torch.tanh(y)
        return y.sum()

    found = refused(loss)

    assert found.reason == "aten::tanh_backward has no portable form"
    assert found.place is not None
    assert found.place.line == loss.__code__.co_firstlineno + 2


def test_a_late_change_is_found_by_a_check_at_an_iterate() -> None:
    problem = FunctionProblem(Counting(4), x0=X)
    plan = plan_for(problem, GradientDescent(), torch.float64, X)
    check_against_torch(plan, problem, X)

    with pytest.raises(NotPortable, match="depend on x or on time"):
        check_against_torch(plan, problem, X)


def test_a_hidden_branch_is_found_by_a_check_at_an_iterate() -> None:
    problem = FunctionProblem(lambda x: x.sum() if _unseen(x) > 0 else x.prod(), x0=X)
    plan = plan_for(problem, GradientDescent(), torch.float64, X)

    with pytest.raises(NotPortable, match="depend on x or on time"):
        check_against_torch(plan, problem, -X)


def test_wrong_values_of_a_plan_are_found() -> None:
    problem = FunctionProblem(lambda x: (x**2).sum(), x0=X)
    plan = plan_for(problem, GradientDescent(), torch.float64, X)
    results = Interpreter(plan.evaluate)({"x": X.unsqueeze(0)})
    loss, gradient = results["loss"].numpy(), results["gradient"].numpy()
    check_against_torch(plan, problem, X, (loss, gradient))

    with pytest.raises(NotPortable, match="its loss is not torch's"):
        check_against_torch(plan, problem, X, (loss * (1 + 1e-14), gradient))
    with pytest.raises(NotPortable, match="its gradient is not torch's"):
        check_against_torch(plan, problem, X, (loss, gradient + 1e-14))
    with pytest.raises(NotPortable, match="its loss is not torch's"):
        check_against_torch(plan, problem, X, (loss * np.nan, gradient))


def test_an_operation_with_another_meaning_per_version_is_found_by_its_shape() -> None:
    x = torch.ones(2, 3, dtype=torch.float64)
    recording = record(lambda x: {"y": torch.mean(x, dim=[])}, {"x": x})
    slot = recording.outputs["y"]
    recording.slots[slot] = recording.slots[slot]._replace(shape=(2, 3))

    with pytest.raises(NotPortable, match="another meaning in this torch"):
        program_of(recording, torch.float64)


def test_a_tensor_made_behind_the_recorders_back_is_still_x() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return (x * torch.nn.Parameter(x)).sum()

    program = evaluation_for(FunctionProblem(loss, x0=X), torch.float64, X)
    found = Interpreter(program)({"x": torch.stack([X, 2 * X])})

    assert found["loss"].tolist() == [5.8125, 4 * 5.8125]


def test_a_recording_leaves_the_random_state_and_the_problem_as_they_were() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    problem = FunctionProblem(lambda x: F.dropout(x, 0.5).sum(), x0=X)

    program = evaluation_for(problem, torch.float64, X)

    assert torch.equal(torch.get_rng_state(), before)
    assert program.outputs.keys() == {"loss", "gradient"}


def test_float16_is_refused() -> None:
    with pytest.raises(NotPortable, match="only float32 and float64"):
        plan_for(FunctionProblem(lambda x: x.sum(), x0=X), GradientDescent(), torch.float16, X)


@pytest.mark.slow
def test_recording_imports_neither_dynamo_nor_sympy() -> None:
    code = """
        import sys, torch
        from types import SimpleNamespace
        from gdexp.engine.agreement import check_against_torch
        from gdexp.engine.make_plan import plan_for
        problem = SimpleNamespace(loss=lambda x: (x * x).mean(), to=lambda dtype, device: problem)
        rule = SimpleNamespace(
            batchable=True,
            update=lambda x, gradient, state, lr: (x - lr * gradient, (gradient,)),
            coefficients=lambda iteration: (0.1,),
        )
        x = torch.rand(3, 3)
        plan = plan_for(problem, rule, "float32", x)
        check_against_torch(plan, problem, x)
        print(*(name for name in sys.modules if name in ("sympy", "torch._dynamo", "llvmlite")))
    """
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == ""
