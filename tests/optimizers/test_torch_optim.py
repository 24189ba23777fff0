"""Any class of torch.optim as an update rule: the same loop, statuses and traces."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from gdexp import Matrix, Problem, Status, Stopping, descend
from gdexp.core.errors import BadInput, GdexpError
from gdexp.optimizers.schedules import Cosine
from gdexp.optimizers.torch_optim import TorchOptimizer
from tests.support.names import TORCH_CLASSES


class Bowl(Problem):
    def __init__(self, x0: object, floor: float = 0.0) -> None:
        super().__init__(x0)
        self.floor = floor
        self.evaluations = [0]

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        self.evaluations[0] += 1
        return self.floor + (x * x).sum() / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH_CLASSES)
def test_every_offered_class_lowers_the_loss_and_records_it_at_each_iteration(name: str) -> None:
    result = descend(Matrix(), TorchOptimizer(name), Stopping(threshold=1e-12, max_iterations=20))
    assert result.status in (Status.MAX_ITERATIONS, Status.CONVERGED)
    assert len(result.trace) == result.iterations + 1
    assert result.final_loss < result.trace[0]
    final = torch.nn.functional.mse_loss(result.final, Matrix().target.float())
    assert final.item() == result.final_loss


def test_the_trace_is_that_of_a_plain_torch_loop_bit_for_bit() -> None:
    for name, keywords in {"NAdam": {"lr": 0.05}, "Rprop": {"lr": 0.02}}.items():
        x = Matrix().start(0).clone().requires_grad_()
        target = Matrix().target.float()
        optimizer = getattr(torch.optim, name)([x], foreach=False, **keywords)
        losses = []
        for _ in range(31):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(x, target)
            losses.append(loss.item())
            loss.backward()
            optimizer.step()
        rule = TorchOptimizer(name, **keywords)
        result = descend(Matrix(), rule, Stopping(threshold=1e-300, max_iterations=30))
        assert result.trace.tolist() == losses


def test_lbfgs_counts_its_steps_and_not_the_evaluations_within_them() -> None:
    problem = Bowl([3.0, -4.0])
    rule = TorchOptimizer("LBFGS", options={"max_iter": 4, "line_search_fn": "strong_wolfe"})
    result = descend(problem, rule, Stopping(threshold=1e-6))
    assert result.converged
    assert result.iterations == 1
    assert problem.evaluations[0] > 3


def test_lbfgs_at_rest_within_its_own_tolerance_is_stalled() -> None:
    result = descend(Bowl([3.0], floor=1.0), TorchOptimizer("LBFGS"))
    assert (result.status, result.period) == (Status.STALLED, 1)
    assert result.iterations < 5
    assert result.final.item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Rprop", "Adadelta", "Adagrad"])
def test_a_state_that_repeats_is_a_stall_where_the_step_count_does_not_matter(name: str) -> None:
    result = descend(Bowl([0.0], floor=1.0), TorchOptimizer(name))
    assert (result.status, result.period) == (Status.STALLED, 1)


def test_a_cycle_of_a_torch_optimizer_is_found_with_its_period() -> None:
    result = descend(Bowl([1.0]), TorchOptimizer("SGD", lr=2.0))
    assert (result.status, result.period) == (Status.STALLED, 2)


@pytest.mark.parametrize(
    "rule",
    [
        TorchOptimizer("Adam"),
        TorchOptimizer("ASGD"),
        TorchOptimizer("Adagrad", options={"lr_decay": 0.1}),
    ],
    ids=str,
)
def test_no_stall_is_claimed_where_the_step_count_matters(rule: TorchOptimizer) -> None:
    result = descend(Bowl([0.0], floor=1.0), rule, Stopping(max_iterations=30))
    assert result.status is Status.MAX_ITERATIONS


def test_a_point_that_diverges_is_diverged() -> None:
    result = descend(Bowl([1.0]), TorchOptimizer("SGD", lr=1e6))
    assert result.status is Status.DIVERGED


def test_a_schedule_sets_the_rate_of_every_step() -> None:
    rule = TorchOptimizer("SGD", lr=0.5, schedule=Cosine(steps=4))
    result = descend(Bowl([1.0]), rule, Stopping(threshold=1e-9, max_iterations=4), dtype="float64")
    x = 1.0
    for k in range(1, 5):
        x -= rule.schedule.rate(0.5, k) * x
    assert result.final.item() == pytest.approx(x, rel=1e-14)


def test_two_descents_share_no_state() -> None:
    rule = TorchOptimizer("Adam", lr=0.1)
    stopping = Stopping(max_iterations=20)
    first, second = (descend(Matrix(), rule, stopping) for _ in range(2))
    assert first.trace.tobytes() == second.trace.tobytes()


def test_the_default_learning_rate_is_the_classes_own_and_is_recorded() -> None:
    assert TorchOptimizer("LBFGS").lr == 1.0
    assert TorchOptimizer("SGD").lr == 0.001
    assert dataclasses.replace(TorchOptimizer("SGD"), lr=2).lr == 2.0


def test_lists_stand_for_tuples_and_foreach_is_off_unless_asked_for() -> None:
    rule = TorchOptimizer("Adam", options={"betas": [0.5, 0.5]})
    assert rule.options == {"betas": (0.5, 0.5)}
    x = torch.zeros(2, requires_grad=True)
    plain = rule.make(x, lr=0.1)
    assert (plain.defaults["foreach"], plain.defaults["fused"]) == (False, False)
    asked = TorchOptimizer("Adam", options={"foreach": True}).make(x, lr=0.1)
    assert asked.defaults["foreach"] is True
    hash(rule)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"class_name": "SDG"}, "class_name=SDG: did you mean SGD?"),
    ({"class_name": "adam"}, "class_name=adam: did you mean Adam?"),
    ({"class_name": "qqqq"}, "class_name=qqqq: choose from ASGD, Adadelta"),
    ({"class_name": 3}, "class_name=3: choose from"),
    ({"class_name": "Optimizer"}, "class_name=Optimizer: is the abstract base"),
    ({"class_name": "SparseAdam"}, "class_name=SparseAdam: needs sparse gradients"),
    ({"class_name": "DistributedOptimizer"}, "class_name=DistributedOptimizer: spreads its work"),
    ({"class_name": "lr_scheduler"}, "class_name=lr_scheduler: choose from"),
    ({"lr": 0.0}, "lr=0.0: must be > 0"),
    ({"lr": "x"}, "lr=x: must be a number"),
    ({"options": [1]}, "options=[1]: must be a group of keyword arguments"),
    (
        {"options": {"momentun": 0.9}},
        "options.momentun=0.9: torch.optim.SGD takes momentum, dampening, weight_decay, nesterov",
    ),
    ({"options": {"lr": 1.0}}, "options.lr=1.0: is given beside options, as lr"),
    ({"options": {"params": []}}, "options.params=[]: is the problem's x"),
    ({"options": {"maximize": True}}, "options.maximize=true: is not offered: a descent minimises"),
    (
        {"options": {"momentum": -1.0}},
        "options.momentum=-1.0: must be at least 0 and below 1",
    ),
    ({"options": {"momentum": "a"}}, "options.momentum=a: must be a number"),
    (
        {"class_name": "LBFGS", "options": {"line_search_fn": "wolfe"}},
        "options={'line_search_fn': 'wolfe'}: refused by torch.optim.LBFGS: only 'strong_wolfe'",
    ),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_what_torch_cannot_use_is_refused_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        TorchOptimizer(**given)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_shape_that_the_class_does_not_take_is_refused() -> None:
    with pytest.raises(BadInput, match="class_name=Muon: Muon only supports 2D"):
        descend(Bowl([1.0, 2.0]), TorchOptimizer("Muon"))


def test_a_step_that_raises_is_an_error_that_names_the_class() -> None:
    with pytest.raises(GdexpError, match=r"torch\.optim\.SGD failed: value cannot be converted"):
        descend(Bowl([1.0]), TorchOptimizer("SGD", lr=1e300))


def test_it_is_not_batchable_and_says_why_when_called_as_a_pure_function() -> None:
    assert not TorchOptimizer.batchable
    with pytest.raises(TypeError, match="no pure function"):
        TorchOptimizer.update(torch.zeros(1), torch.zeros(1), ())
