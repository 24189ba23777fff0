"""Bad settings of the updates are refused in one line; states go on with the same bits."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from gdexp.core.errors import BadInput, GdexpError
from gdexp.training.updates import Updates, UpdateSettings
from tests.training.updates.hand_loops import loss_of, make_batches, make_model, run_updates, same

HERE = "tests.training.updates.own_optimizers"
SGD: dict[str, Any] = {"name": "torch", "class_name": "SGD", "lr": 0.1}
GD: dict[str, Any] = {"name": "gd", "lr": 0.1}
PLATEAU = {"class_name": "ReduceLROnPlateau", "options": {"patience": 0, "factor": 0.5}}

BAD: list[tuple[dict[str, Any], str]] = [
    (GD | {"clip_norm": 0}, "optimizer.clip_norm=0: must be > 0"),
    (GD | {"clip_value": "x"}, "optimizer.clip_value=x: must be a number"),
    (GD | {"accumulate": 0}, "optimizer.accumulate=0: must be an integer from 1"),
    (GD | {"ema": 1.0}, "optimizer.ema=1.0: must be at least 0 and below 1"),
    (GD | {"autocast": "half"}, "optimizer.autocast=half: choose from bfloat16, float16"),
    (GD | {"groups": {"match": "*"}}, "optimizer.groups={'match': '*'}: must be a list"),
    (GD | {"groups": [{"lr": 1.0}]}, "optimizer.groups[0]={'lr': 1.0}: must say which parameters"),
    (
        GD | {"groups": [{"match": "0.wieght", "lr": 1.0}]},
        "optimizer.groups[0].match=0.wieght: matches no parameter; did you mean 0.weight?",
    ),
    (
        GD | {"groups": [{"module": "LayerNorm", "lr": 1.0}]},
        "optimizer.groups[0].module=LayerNorm: matches no parameter; choose from",
    ),
    (
        GD | {"groups": [{"match": "*", "lr": 1.0}, {"match": "0.bias"}]},
        "optimizer.groups[1].match=0.bias: all that it matches is in earlier groups",
    ),
    (
        GD | {"groups": [{"match": "*.bias", "weight_decay": 0}]},
        "optimizer.groups[0].weight_decay=0: unknown key; choose from lr",
    ),
    (GD | {"groups": [{"match": "*", "lr": -1}]}, "optimizer.groups[0].lr=-1: must be > 0"),
    (
        SGD | {"groups": [{"match": "*.bias", "weight_decai": 0}]},
        "optimizer.groups[0].weight_decai=0: torch.optim.SGD takes momentum",
    ),
    (
        SGD | {"groups": [{"match": "*.bias", "weight_decay": -1}]},
        "optimizer.groups[0].weight_decay=-1: must be >= 0",
    ),
    (
        SGD | {"schedule": {"name": "torch", "class_name": "OneCycleLr"}},
        "optimizer.schedule.class_name=OneCycleLr: did you mean OneCycleLR?",
    ),
    (
        SGD | {"schedule": {"name": "torch", "class_name": "StepLR", "options": {"gama": 1}}},
        "optimizer.schedule.options.gama=1: StepLR takes step_size, gamma",
    ),
    (
        SGD | {"schedule": {"name": "torch", "class_name": "StepLR"}},
        "optimizer.schedule.options={}: refused by StepLR",
    ),
    (
        SGD | {"schedule": {"name": "torch", **PLATEAU, "interval": "epoch"}},
        "optimizer.schedule.interval=epoch: ReduceLROnPlateau needs interval: evaluation",
    ),
    (
        {"name": "torch", "class_name": "LBFGS", "clip_norm": 1.0},
        "optimizer.clip_norm=1.0: LBFGS evaluates the gradient itself",
    ),
    (
        {"name": "torch", "class_name": f"{HERE}.not_an_optimizer", "lr": 0.1},
        f"optimizer.class_name={HERE}.not_an_optimizer: must name a class like",
    ),
    (
        {"name": "torch", "class_name": f"{HERE}.MuonLike", "options": {"nope": 1}},
        f"optimizer.options.nope=1: {HERE}.MuonLike takes momentum",
    ),
    (
        {"name": "custom", "path": f"{HERE}.not_an_optimizer"},
        f"optimizer.path={HERE}.not_an_optimizer: must name a",
    ),
]


@pytest.mark.parametrize(("group", "message"), BAD, ids=[text for _, text in BAD])
def test_bad_settings_are_refused_in_one_line(group: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput) as caught:
        run_updates(group, [])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "group",
    [
        {"name": "torch", "class_name": f"{HERE}.MuonLike"},
        {"name": "custom", "path": f"{HERE}.Lion"},
        SGD | {"schedule": {"name": "custom", "path": f"{HERE}.Halved"}},
        SGD | {"schedule": {"name": "torch", "class_name": f"{HERE}.Halved"}},
        SGD
        | {
            "schedule": {
                "name": "torch",
                "class_name": "LambdaLR",
                "options": {"lr_lambda": f"{HERE}.not_an_optimizer"},
            }
        },
    ],
    ids=["class", "rule", "schedule", "scheduler", "function"],
)
def test_a_path_of_a_stored_config_is_not_imported(group: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"is not trusted to run: add trust=\["):
        UpdateSettings.from_config(group)


GROUPED: list[tuple[Any, str]] = [
    ([], "must return a list of groups"),
    ([{"lr": 1.0}], "must return a list of groups with params"),
    ([{"params": [3]}], "must return groups whose params are tensors"),
    ("first", "has no group for the parameter 1.weight, 1.bias, 4.weight and 1 more"),
    ("twice", "has the parameter 0.weight twice"),
    ("other", "returned a tensor that is no parameter of model"),
]


@pytest.mark.parametrize(("given", "message"), GROUPED)
def test_groups_of_the_user_must_take_each_parameter_once(given: Any, message: str) -> None:
    model = make_model()
    members = list(model.parameters())
    made = {
        "first": [{"params": members[:2]}],
        "twice": [{"params": members}, {"params": members[:1]}],
        "other": [{"params": [*members, nn.Parameter(torch.zeros(1))]}],
    }.get(str(given), given)
    with pytest.raises(BadInput, match=message):
        Updates(SGD, model, made)


def test_groups_of_the_user_may_name_their_parameters() -> None:
    model = make_model()
    updates = Updates(SGD, model, [{"params": list(model.named_parameters()), "lr": 0.3}])
    assert updates.lr == 0.3
    with pytest.raises(BadInput, match="the training makes its own groups"):
        Updates(SGD | {"groups": [{"match": "*"}]}, model, [{"params": model.parameters()}])


def test_a_module_without_parameters_is_refused() -> None:
    with pytest.raises(BadInput, match="problem=Tanh: has no parameter to train"):
        Updates(SGD, nn.Tanh())


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda model: 1.0, r"must return a tensor with one number, not 1\.0"),
        (lambda model: next(model.parameters()), r"not shape \(16, 6\)"),
        (lambda model: torch.zeros(()), "has no gradient"),
    ],
)
def test_a_loss_that_cannot_be_minimised_is_refused(loss: Any, message: str) -> None:
    model = make_model()
    with pytest.raises(BadInput, match=message):
        Updates(SGD, model).gradients([lambda: loss(model)])


STATES: dict[str, dict[str, Any]] = {
    "SGD": SGD | {"options": {"momentum": 0.9}, "ema": 0.9},
    "AdamW": {
        "name": "torch",
        "class_name": "AdamW",
        "lr": 0.01,
        "groups": [{"match": "*.bias", "weight_decay": 0.0}],
        "schedule": {
            "name": "torch",
            "class_name": "SequentialLR",
            "options": {
                "schedulers": [
                    {"class_name": "LinearLR", "options": {"total_iters": 4}},
                    {"class_name": "MultiStepLR", "options": {"milestones": [2, 4]}},
                ],
                "milestones": [4],
            },
        },
    },
    "other dtypes": {"name": "torch", "class_name": f"{HERE}.AdafactorLike", "lr": 0.01},
    "LBFGS": {"name": "torch", "class_name": "LBFGS", "lr": 0.5, "options": {"max_iter": 3}},
    "adam": {"name": "adam", "lr": 0.01, "schedule": {"name": "warmup_cosine", "steps": 9}},
    "scaler": SGD | {"autocast": "float16"},
}
STATES["adam"]["schedule"]["warmup"] = 3


@pytest.mark.slow
@pytest.mark.parametrize("name", STATES)
def test_a_loaded_state_goes_on_with_the_same_bits(name: str) -> None:
    group, batches = STATES[name], make_batches(10)
    _, whole, ended = run_updates(group, batches)
    _, model, updates = run_updates(group, batches[:6])
    weights = copy.deepcopy(model.state_dict())
    state = copy.deepcopy(updates.state_dict())
    generator = torch.get_rng_state()
    other = make_model(9)  # torch's generator moves, and the weights are others
    resumed = Updates(updates.settings, other)
    other.load_state_dict(weights)
    resumed.load_state_dict(state)
    torch.set_rng_state(generator)
    assert resumed.lr == updates.lr
    for (batch,) in batches[6:]:
        resumed.gradients([lambda batch=batch: loss_of(other, batch)])  # type: ignore[misc]
        assert resumed.apply()
    assert same(other.state_dict(), whole.state_dict())
    assert same(resumed.state_dict(), ended.state_dict())
    assert resumed.count == 10


def test_a_state_of_other_parameters_is_refused_and_names_them() -> None:
    _, _, updates = run_updates(SGD | {"options": {"momentum": 0.9}}, make_batches(1))
    state = updates.state_dict()
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Linear(16, 3))
    with pytest.raises(GdexpError, match=r"parameter 2\.bias has shape none, the model's has \(3"):
        Updates(updates.settings, model).load_state_dict(state)
    with pytest.raises(GdexpError, match="of the optimizer SGD, not RuleOptimizer"):
        Updates(GD, make_model()).load_state_dict(state)
    with pytest.raises(GdexpError, match="other settings of its average"):
        Updates(SGD | {"ema": 0.5}, make_model()).load_state_dict(state)


def test_a_plateau_takes_the_metric_of_an_evaluation() -> None:
    schedule = {"name": "torch", **PLATEAU, "metric": "accuracy"}
    _, _, updates = run_updates(SGD | {"schedule": schedule}, make_batches(1))
    for value, lr in ((1.0, 0.1), (1.0, 0.05), (2.0, 0.025)):
        updates.evaluated({"loss": 0.0, "accuracy": value})
        assert updates.lr == pytest.approx(lr)
    with pytest.raises(BadInput, match=r"optimizer.schedule.metric=accuracy: did you mean acuracy"):
        updates.evaluated({"acuracy": 1.0})


def test_a_schedule_may_count_epochs() -> None:
    schedule = {"class_name": "StepLR", "options": {"step_size": 1}, "interval": "epoch"}
    group = SGD | {"schedule": {"name": "torch", **schedule}}
    _, _, updates = run_updates(group, make_batches(2))
    assert updates.lr == 0.1
    updates.end_epoch()
    assert updates.lr == pytest.approx(0.01)


def test_a_rule_and_a_schedule_of_the_users_own_train() -> None:
    group = {
        "name": "custom",
        "path": f"{HERE}.Lion",
        "lr": 0.1,
        "arguments": {"beta": 0.5},
        "schedule": {"name": "custom", "path": f"{HERE}.Halved"},
    }
    losses, model, updates = run_updates(group, make_batches(4))
    assert updates.lr == 0.1 / 2**4
    assert updates.settings.rule.beta == 0.5  # type: ignore[attr-defined]
    assert losses[0] != losses[-1]
    state = updates.optimizer.state[next(model.parameters())]
    assert state["step"] == 4
