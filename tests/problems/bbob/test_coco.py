"""Values, minima and minimisers are those of COCO's own package.

`scripts/bench bbob` compares all of instances 1 to 15 at 1,000 points each.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gdexp import Bbob
from scripts.benchmarks import bbob
from tests.support.long_form import share

FUNCTIONS = range(1, 25)
DIMENSIONS = (2, 5, 20)
INSTANCES = (1, 3, 15)[: share(3, 2)]
POINTS = share(400, 40)


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_are_those_of_coco(function: int) -> None:
    for instance in INSTANCES:
        for dimension in DIMENSIONS:
            found = bbob.difference(function, instance, dimension, POINTS)
            if function in bbob.RUGGED:
                assert found.multiple <= bbob.MULTIPLES
            else:
                assert found.share <= bbob.EXACT
            assert found.minimum <= bbob.EXACT


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_of_the_portable_form_are_close_to_those_of_coco(function: int) -> None:
    most = bbob.PORTABLE_RUGGED if function in bbob.RUGGED else bbob.PORTABLE
    for dimension in DIMENSIONS:
        found = bbob.difference(function, 2, dimension, POINTS, form="portable")
        assert found.share <= most
        assert found.minimum <= bbob.EXACT


@pytest.mark.parametrize(("function", "dimension"), [(9, 40), (18, 10), (22, 40), (12, 3)])
def test_other_dimensions_and_instances_are_cocos_too(function: int, dimension: int) -> None:
    found = bbob.difference(function, 101, dimension, 20)
    assert found.share <= bbob.EXACT
    assert found.minimum <= bbob.EXACT


@pytest.mark.parametrize("function", FUNCTIONS)
def test_coco_takes_the_minimiser_for_its_own(function: int) -> None:
    for instance in INSTANCES:
        problem, ours = bbob.coco(function, instance, 5), Bbob(function, instance, 5)
        assert ours.x_star is not None
        assert not problem.final_target_hit
        problem(ours.x_star.numpy())
        assert problem.final_target_hit
        assert problem.best_observed_fvalue1 == pytest.approx(ours.f_star, rel=1e-12, abs=1e-12)


def test_starts_are_in_cocos_domain() -> None:
    problem = bbob.coco(1, 1, 20)
    starts = torch.stack([Bbob(1, 1, 20).start(seed) for seed in range(50)]).numpy()
    assert (starts >= problem.lower_bounds).all()
    assert (starts <= problem.upper_bounds).all()
    assert np.abs(starts).max() > 4.9
