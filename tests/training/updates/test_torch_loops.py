"""Updates of torch's optimizers equal hand-written loops: losses, weights, state, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from gdexp.training.updates import Updates
from gdexp.training.updates.finite_gradients import all_finite
from tests.training.updates.hand_loops import (
    Loop,
    make_batches,
    make_model,
    plain_loop,
    run_updates,
    same,
)

HERE = "tests.training.updates.own_optimizers"


def of_torch(name: str, lr: float, schedule: dict[str, Any] | None = None, **options: Any) -> Any:
    group = {"name": "torch", "class_name": name, "lr": lr, "options": options}
    return group | ({} if schedule is None else {"schedule": schedule})


def own_class(name: str) -> Any:
    from tests.training.updates import own_optimizers

    return getattr(own_optimizers, name)


def scheduler(name: str, **options: Any) -> dict[str, Any]:
    return {"name": "torch", "class_name": name, "options": options}


def decayed(model: nn.Module) -> list[dict[str, Any]]:
    """The groups that a person makes of `{match: '*.bias'}` and `{module: '*Norm*'}`."""
    named = dict(model.named_parameters())
    biases = [name for name in named if name.endswith("bias")]
    norms = [name for name in named if name.startswith("1.") and name not in biases]
    rest = [name for name in named if name not in (*biases, *norms)]
    return [
        {"params": [named[name] for name in rest]},
        {"params": [named[name] for name in biases], "weight_decay": 0.0},
        {"params": [named[name] for name in norms], "weight_decay": 0.0, "lr": 0.05},
    ]


GROUPS = [
    {"match": "*.bias", "weight_decay": 0.0},
    {"module": "*Norm*", "weight_decay": 0.0, "lr": 0.05},
]

CASES: dict[str, tuple[dict[str, Any], Loop]] = {
    "SGD": (of_torch("SGD", 0.1), plain_loop(lambda m: torch.optim.SGD(m.parameters(), 0.1))),
    "momentum": (
        of_torch("SGD", 0.1, momentum=0.9, weight_decay=0.01),
        plain_loop(lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9, weight_decay=0.01)),
    ),
    "nesterov": (
        of_torch("SGD", 0.1, momentum=0.9, nesterov=True),
        plain_loop(lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9, nesterov=True)),
    ),
    "Adam": (of_torch("Adam", 0.01), plain_loop(lambda m: torch.optim.Adam(m.parameters(), 0.01))),
    "AdamW with groups": (
        of_torch("AdamW", 0.01, weight_decay=0.1) | {"groups": GROUPS},
        plain_loop(lambda m: torch.optim.AdamW(decayed(m), 0.01, weight_decay=0.1)),
    ),
    "clipped by norm": (
        of_torch("SGD", 0.1, momentum=0.9) | {"clip_norm": 0.3},
        plain_loop(
            lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9),
            clip=lambda m: nn.utils.clip_grad_norm_(m.parameters(), 0.3),
        ),
    ),
    "clipped by value": (
        of_torch("Adam", 0.01) | {"clip_value": 0.02},
        plain_loop(
            lambda m: torch.optim.Adam(m.parameters(), 0.01),
            clip=lambda m: nn.utils.clip_grad_value_(m.parameters(), 0.02),
        ),
    ),
    "OneCycle": (
        of_torch("SGD", 0.1, scheduler("OneCycleLR", max_lr=0.3, total_steps=12), momentum=0.9),
        plain_loop(
            lambda m: torch.optim.SGD(m.parameters(), 0.1, momentum=0.9),
            lambda o: lr_scheduler.OneCycleLR(o, 0.3, total_steps=12),
        ),
    ),
    "sequential": (
        of_torch(
            "AdamW",
            0.01,
            scheduler(
                "SequentialLR",
                schedulers=[
                    {"class_name": "LinearLR", "options": {"start_factor": 0.1, "total_iters": 4}},
                    {"class_name": "CosineAnnealingLR", "options": {"T_max": 8}},
                ],
                milestones=[4],
            ),
        )
        | {"groups": [{"match": "0.*", "lr": 0.03}]},
        plain_loop(
            lambda m: torch.optim.AdamW(
                [
                    {"params": [p for n, p in m.named_parameters() if n[0] != "0"]},
                    {"params": [p for n, p in m.named_parameters() if n[0] == "0"], "lr": 0.03},
                ],
                0.01,
            ),
            lambda o: lr_scheduler.SequentialLR(
                o,
                [
                    lr_scheduler.LinearLR(o, start_factor=0.1, total_iters=4),
                    lr_scheduler.CosineAnnealingLR(o, 8),
                ],
                [4],
            ),
        ),
    ),
    "Adafactor": (
        of_torch("Adafactor", 0.01),
        plain_loop(lambda m: torch.optim.Adafactor(m.parameters(), 0.01)),
    ),
    "Muon-like": (
        of_torch(f"{HERE}.MuonLike", 0.02),
        plain_loop(lambda m: own_class("MuonLike")(m.parameters(), 0.02)),
    ),
    "Adafactor-like": (
        of_torch(f"{HERE}.AdafactorLike", 0.01, decay=0.7),
        plain_loop(lambda m: own_class("AdafactorLike")(m.parameters(), 0.01, 0.7)),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("micro", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_losses_weights_and_state_are_those_of_a_hand_written_loop(name: str, micro: int) -> None:
    group, loop = CASES[name]
    batches = make_batches(11, micro)
    batches[-1] = batches[-1][:2]  # an epoch's last update may be smaller
    model = make_model()
    expected, optimizer = loop(model, batches)
    losses, own, updates = run_updates(group | {"accumulate": micro}, batches)
    assert losses == expected
    assert same(own.state_dict(), model.state_dict())
    assert same(updates.optimizer.state_dict(), optimizer.state_dict())
    assert torch.rand(1).item() < 1  # both loops drew as much: dropout is in the losses


def test_muon_takes_the_matrices_in_their_shapes() -> None:
    def make_linear() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 9, bias=False), nn.Tanh(), nn.Linear(9, 3, bias=False))

    batches, model = make_batches(6), make_linear()
    loop = plain_loop(lambda m: torch.optim.Muon(m.parameters(), lr=0.05))
    expected, _ = loop(model, batches)
    losses, own, _ = run_updates(of_torch("Muon", 0.05), batches, make_linear())
    assert losses == expected
    assert same(own.state_dict(), model.state_dict())


def test_lbfgs_evaluates_again_within_an_update() -> None:
    options = {"max_iter": 4, "line_search_fn": "strong_wolfe"}
    batches = make_batches(5)
    model = make_model()
    optimizer = torch.optim.LBFGS(model.parameters(), 0.5, **options)  # type: ignore[arg-type]
    expected: list[float] = []
    for ((inputs, labels),) in batches:

        def closure(inputs: Any = inputs, labels: Any = labels) -> torch.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), labels)
            loss.backward()
            return loss

        expected.append(optimizer.step(closure).item())  # type: ignore[attr-defined]
    losses, own, updates = run_updates(of_torch("LBFGS", 0.5, **options), batches)
    assert losses == expected
    assert same(own.state_dict(), model.state_dict())
    assert same(updates.optimizer.state_dict(), optimizer.state_dict())


def test_a_line_search_sees_losses_that_are_not_finite() -> None:
    options = {"max_iter": 4, "line_search_fn": "strong_wolfe"}
    (((inputs, _),),) = make_batches(1)
    model, expected = make_model(), list[float]()
    optimizer = torch.optim.LBFGS(model.parameters(), 1e6, **options)  # type: ignore[arg-type]

    def steep(own: nn.Module, seen: list[float]) -> torch.Tensor:
        loss = own(inputs).exp().mean()
        seen.append(loss.item())
        return loss

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = steep(model, expected)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    own, seen = make_model(), list[float]()
    updates = Updates(of_torch("LBFGS", 1e6, **options), own)
    updates.gradients([lambda: steep(own, seen)])
    assert updates.apply()
    assert not all(map(math.isfinite, seen))
    assert repr(seen) == repr(expected)  # some are NaN
    assert repr(own.state_dict()) == repr(model.state_dict())


def test_the_average_is_that_of_torch_and_the_weights_come_back() -> None:
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    batches, model = make_batches(7), make_model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)
    for ((inputs, labels),) in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        average.update_parameters(model)
    _, own, updates = run_updates(of_torch("SGD", 0.1) | {"ema": 0.8}, batches)
    before = {name: each.clone() for name, each in own.state_dict().items()}
    assert same(before, model.state_dict())
    averaged = dict(average.module.state_dict())
    with updates.averaged():
        found = dict(own.state_dict())
        assert int(found.pop("1.num_batches_tracked")) == 7
        del averaged["1.num_batches_tracked"]
        assert same(found, averaged)
        assert not torch.equal(found["1.running_mean"], torch.zeros(16))
    assert same(dict(own.state_dict()), before)


def test_an_optimizer_with_modes_evaluates_in_its_own_and_trains_on_unchanged() -> None:
    group = of_torch(f"{HERE}.Switching", 0.1)
    batches = make_batches(6)
    losses, own, _ = run_updates(group, batches)
    first, model, updates = run_updates(group, batches[:3])
    weights = {name: each.clone() for name, each in model.state_dict().items()}
    with updates.averaged():
        assert not same(dict(model.state_dict()), weights)
    assert same(dict(model.state_dict()), weights)
    for (batch,) in batches[3:]:
        first.append(
            updates.gradients([lambda b=batch: nn.functional.cross_entropy(model(b[0]), b[1])])
        )  # type: ignore[misc]
        assert updates.apply()
    assert first == losses
    assert same(model.state_dict(), own.state_dict())


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 1.0}, {"clip_value": 1.0}])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_an_update_with_an_infinite_gradient_changes_nothing(
    clip: dict[str, float], bad: float
) -> None:
    _, model, updates = run_updates(of_torch("SGD", 0.1, momentum=0.9) | clip, make_batches(2))
    before = [each.clone() for each in model.parameters()]
    weight: Any = dict(model.named_parameters())["0.weight"]
    weight.register_hook(lambda gradient: gradient * bad)
    assert math.isfinite(updates.gradients([lambda: (weight * weight).sum()]))
    assert not updates.apply()
    assert all(map(torch.equal, before, model.parameters()))
    assert updates.count == 2


def test_a_gradient_whose_squares_overflow_is_finite() -> None:
    _, model, updates = run_updates(of_torch("SGD", 1e-30), make_batches(1))
    assert math.isfinite(updates.gradients([lambda: 1e25 * next(model.parameters()).sum()]))
    assert updates.apply()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_one_number_of_many_is_not_finite(dtype: torch.dtype) -> None:
    large = torch.finfo(dtype).max  # its square is beyond every dtype
    for value, finite in ((large, True), (-large, True), (math.inf, False), (math.nan, False)):
        gradients = [torch.ones(4, 6, dtype=dtype).t(), torch.zeros(3, dtype=dtype)]
        gradients[0][2, 3] = value
        assert all_finite(gradients) is finite
        sparse = gradients[0].contiguous().to_sparse()
        assert all_finite([sparse, gradients[1].float()]) is finite
    assert all_finite([])


def test_autocast_computes_in_bfloat16_and_keeps_the_weights_in_float32() -> None:
    batches, model = make_batches(5), make_model()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    expected = []
    for ((inputs, labels),) in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(inputs), labels)
        expected.append(loss.item())
        loss.backward()
        optimizer.step()
    group = of_torch("SGD", 0.1)
    losses, own, _ = run_updates(group | {"autocast": "bfloat16"}, batches)
    assert losses == expected != run_updates(group, batches)[0]
    assert same(own.state_dict(), model.state_dict())
    assert next(own.parameters()).dtype is torch.float32


def test_a_scaler_leaves_out_an_update_that_overflows() -> None:
    group = of_torch("SGD", 0.1) | {"autocast": "float16", "clip_norm": 1.0}
    batches, model = make_batches(4), make_model()
    optimizer, scaler = torch.optim.SGD(model.parameters(), 0.1), torch.amp.GradScaler("cpu")
    for ((inputs, labels),) in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = nn.functional.cross_entropy(model(inputs), labels)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    _, own, updates = run_updates(group, batches)
    assert same(own.state_dict(), model.state_dict())
    before = [each.clone() for each in own.parameters()]
    updates.gradients([lambda: 1e35 * sum(each.sum() for each in own.parameters())])  # type: ignore[arg-type, return-value]
    assert updates.apply()
    assert all(map(torch.equal, before, own.parameters()))
    assert updates.state_dict()["scaler"]["scale"] == scaler.state_dict()["scale"] / 2


def test_tied_weights_are_updated_once() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight  # type: ignore[union-attr, index]
    batch = (torch.randn(4, 3), torch.tensor([0, 1, 2, 0]))
    start = model[0].weight.detach().clone()  # type: ignore[union-attr, index, operator]
    _, model, _ = run_updates(of_torch("SGD", 0.1), [[batch]], model)
    weight: Any = dict(model.named_parameters())["0.weight"]
    assert torch.equal(weight, torch.sub(start, weight.grad, alpha=0.1))


def test_with_zero_gradient_weights_shrink_and_biases_and_norms_do_not() -> None:
    model = make_model()
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    group = of_torch("AdamW", 0.01, weight_decay=0.1) | {"groups": GROUPS}
    from gdexp.training.updates import Updates, UpdateSettings

    updates = Updates(UpdateSettings.from_config(group), model)
    updates.gradients([lambda: sum(0 * each.sum() for each in model.parameters())])  # type: ignore[arg-type, return-value]
    updates.apply()
    for name, each in model.named_parameters():
        shrunk = name in ("0.weight", "4.weight")
        assert torch.equal(each, before[name] * (1 - 0.01 * 0.1) if shrunk else before[name])
