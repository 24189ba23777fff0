"""The forest against scikit-learn's, and against what is known without one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp.sweeps.results.forest import Floats, impurity_decreases
from tests.support.long_form import share

FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "one column": lambda x: np.log(x[:, 0] + 0.01),
    "two columns": lambda x: x[:, 0] + 2 * (x[:, 1] > 0.5),
    "only together": lambda x: (x[:, 0] > 0.5) ^ (x[:, 1] > 0.5),
    "chance": lambda x: np.modf(1e4 * np.sin(1e4 * x.sum(axis=1)))[0],
}


SEEDS = share(8, 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rows", [60, 300])
def test_shares_are_those_of_scikit_learn(name: str, rows: int) -> None:
    from sklearn.ensemble import RandomForestRegressor

    x = np.random.default_rng(rows).random((rows, 3))
    x[:, 2] = x[:, 2] > 0.5  # a choice
    y = np.asarray(FUNCTIONS[name](x), dtype=float)
    theirs = np.array(
        [
            RandomForestRegressor(n_estimators=64, random_state=seed).fit(x, y).feature_importances_
            for seed in range(SEEDS)
        ]
    )
    ours = np.array([impurity_decreases(x, y, 64, seed) for seed in range(SEEDS)])
    # Both are means of random trees; their means over seeds differ by no more than chance allows.
    spread = np.sqrt((theirs.var(axis=0, ddof=1) + ours.var(axis=0, ddof=1)) / SEEDS)
    assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) <= 5 * spread + 1e-3).all()


def test_equal_seeds_give_equal_shares() -> None:
    x = np.random.default_rng(0).random((80, 2))
    assert (impurity_decreases(x, x[:, 0], 8, 1) == impurity_decreases(x, x[:, 0], 8, 1)).all()


@settings(max_examples=share(60))
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1), st.floats(-1e6, 1e6)),
        min_size=1,
        max_size=30,
    )
)
def test_shares_sum_to_one_or_nothing_is_explained(rows: list[tuple[float, float, float]]) -> None:
    table = np.array(rows)
    shares = impurity_decreases(table[:, :2], table[:, 2], 4, 0)
    assert (shares >= 0).all()
    assert shares.sum() == pytest.approx(1) or not shares.any()


@pytest.mark.slow
def test_importances_need_no_scikit_learn() -> None:
    code = (
        "import sys, random\n"
        "from optuna.trial import create_trial\n"
        "from optuna.distributions import FloatDistribution\n"
        "from gdexp.sweeps.results.importance import importances\n"
        "ranges = {'a': FloatDistribution(0, 1), 'b': FloatDistribution(0, 1)}\n"
        "made = [{'a': random.random(), 'b': random.random()} for _ in range(60)]\n"
        "trials = [create_trial(params=p, distributions=ranges, value=p['a']) for p in made]\n"
        "assert importances(trials)\n"
        "sys.exit('sklearn' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
