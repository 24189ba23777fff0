"""Options of torch.optim's classes that torch itself takes in silence."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from gdexp import BadInput
from gdexp.optimizers.torch_optim import TorchOptimizer, torch_optimizers
from gdexp.optimizers.torch_options import CHECKS, check_option
from tests.support.names import TORCH_CLASSES


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("SGD", {"momentum": 2}, "options.momentum=2: must be at least 0 and below 1"),
        ("SGD", {"momentum": 1}, "must be at least 0 and below 1"),
        ("SGD", {"momentum": True}, "must be a number"),
        ("SGD", {"momentum": 0.5, "dampening": -1}, "must be at least 0 and below 1"),
        ("SGD", {"nesterov": 1, "momentum": 0.5}, "must be true or false"),
        ("SGD", {"weight_decay": float("nan")}, "must be a finite number"),
        ("RMSprop", {"alpha": 1.5}, "must be from 0 to 1"),
        ("RMSprop", {"momentum": 1.5}, "must be at least 0 and below 1"),
        ("ASGD", {"lambd": -1}, "must be >= 0"),
        ("ASGD", {"t0": -1}, "must be >= 0"),
        ("Adam", {"betas": 0.9}, "must be a list of numbers"),
        ("Adam", {"betas": [0.9, "x"]}, "must be a number"),
        ("Adam", {"betas": [0.9, 1.0]}, "refused by torch.optim.Adam"),
        ("Adam", {"eps": float("inf")}, "must be a finite number"),
        ("Muon", {"momentum": 1.0}, "must be at least 0 and below 1"),
        ("LBFGS", {"max_iter": 0}, "must be an integer from 1"),
        ("LBFGS", {"history_size": -1}, "must be an integer from 1"),
        ("LBFGS", {"tolerance_grad": -1}, "must be >= 0"),
    ],
)
def test_an_option_out_of_range_is_refused(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as error:
        TorchOptimizer(name, 0.1, options)
    assert words in str(error.value)


def test_every_default_of_torch_passes_and_every_check_has_its_option() -> None:
    seen = set()
    for name in TORCH_CLASSES:
        for key, parameter in inspect.signature(torch_optimizers()[name]).parameters.items():
            seen |= {key, f"{name}.{key}"}
            if parameter.default is not parameter.empty and key != "lr":
                check_option(name, key, parameter.default, parameter)
    assert set(CHECKS) <= seen
