"""The names that tests take their parameters from are those that the registries offer."""

from __future__ import annotations

from gdexp.descent.stopping import Status
from gdexp.optimizers.registry import RULES
from gdexp.optimizers.schedule_registry import SCHEDULES
from gdexp.optimizers.torch_optim import torch_optimizers
from gdexp.problems.registry import PROBLEMS
from gdexp.sweeps.sampling.samplers import CLASSES, LEARNING_RATE
from tests.support import names


def test_the_names_are_those_of_the_registries() -> None:
    assert set(names.PROBLEMS) == set(PROBLEMS)
    assert set(names.RULES) == set(RULES)
    assert set(names.SCHEDULES) == set(SCHEDULES)
    assert set(names.SAMPLERS) == {LEARNING_RATE, *CLASSES}
    assert set(names.STATUSES) == set(Status)
    assert set(names.TORCH_CLASSES) >= set(torch_optimizers())  # an earlier torch lacks some


def test_the_lists_of_some_are_what_these_say_of_themselves() -> None:
    assert set(names.BATCHABLE_PROBLEMS) == {n for n, cls in PROBLEMS.items() if cls.batchable}
    rows = {n for n, cls in RULES.items() if cls.batchable and not cls.searches}
    assert {*names.BATCHABLE_RULES, *names.PROVEN_RULES} == rows
    assert set(names.SEARCHING_RULES) == {n for n, cls in RULES.items() if cls.searches}
    made = {name: cls() for name, cls in PROBLEMS.items()}
    assert set(names.KNOWN_MINIMUM) == {n for n, p in made.items() if p.f_star is not None}
    assert set(names.CONSTANT_HESSIAN) == {n for n, p in made.items() if p.curvature is not None}
