"""Trials that are created together have the parameters that Optuna would choose one by one."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from gdexp.cli.main import main
from gdexp.sweeps.optuna_internals import Draft, drawn_value, transform_of
from gdexp.sweeps.study.journal_storage import JournalStudyStorage
from tests.support.long_form import share

numbers = st.tuples(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6)).map(sorted)
counts, steps = st.integers(1, 9), st.sampled_from([0.125, 0.5, 1.5])
ranges: st.SearchStrategy[BaseDistribution] = st.one_of(
    st.builds(lambda ends, log: FloatDistribution(*ends, log=log), numbers, st.booleans()),
    st.builds(lambda n, step: FloatDistribution(0, n * step, step=step), counts, steps),
    st.builds(lambda low, n: IntDistribution(low - 5, low + n), counts, counts),
    st.builds(lambda low, n: IntDistribution(low, low + n, log=True), counts, counts),
    st.builds(lambda n, step: IntDistribution(0, n * step, step=step), counts, counts),
    st.lists(st.sampled_from(["a", 1, None, True, 2.5]), min_size=2, max_size=4).map(
        CategoricalDistribution
    ),
)


@pytest.mark.slow
@settings(max_examples=share(300))
@given(st.lists(ranges, min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_draws_are_those_of_optunas_random_sampler(
    given_ranges: list[BaseDistribution], seed: int
) -> None:
    import numpy as np

    space = {f"p{i}": range_ for i, range_ in enumerate(given_ranges) if not range_.single()}
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(sampler=sampler)
    expected = study.ask(space).params
    random = np.random.RandomState(seed)
    drawn = {name: drawn_value(transform_of(name, r), random) for name, r in space.items()}
    assert repr(drawn) == repr(expected)


ORDINARY = ["sweep.name=s", "stopping.max_iterations=20", "tracking.children=best:5"]
SPACES = {
    "two ranges": [
        "optimizer.lr=tag(log, interval(0.5,5))",
        "stopping.threshold=interval(1e-4,1e-2)",
    ],
    "groups": ["+sweep=rules"],
    "one value": ["optimizer.lr=interval(1,1)", "stopping.threshold=interval(1e-4,1e-2)"],
    "a choice": ["optimizer.lr=choice(0.5,1,2)", "stopping.threshold=choice(1e-4,1e-3,0.01,0.1)"],
}


def stored(folder: Path) -> list[FrozenTrial]:
    """The trials of a sweep, read by Optuna's own storage."""
    storage = JournalStorage(JournalFileBackend(str(folder / "sweeps/s/study.journal")))
    return optuna.load_study(study_name="s", storage=storage).trials


CASES = [*(("random", space) for space in SPACES), ("grid", "a choice")]
"""A grid needs a finite space."""


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "space"), CASES)
def test_a_block_is_stored_as_trials_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, space: str
) -> None:
    found = []
    for blocks in (True, False):
        folder = tmp_path / str(blocks)
        folder.mkdir()
        monkeypatch.chdir(folder)
        if not blocks:
            from gdexp.sweeps.worker.draws import TrialDraws

            monkeypatch.setattr(TrialDraws, "possible", staticmethod(lambda plan: False))
        own = [] if SPACES[space][0].startswith("+") else ["+sweep"]
        line = [*own, f"sweep.sampler={sampler}", "sweep.n_trials=12", *ORDINARY]
        assert main([*line, *SPACES[space]]) in (0, 1)
        found.append(
            [
                (t.number, t.state, repr(t.params), t.distributions, t.values, t.system_attrs)
                for t in stored(folder)
            ]
        )
    assert found[0] == found[1]
    assert len(found[0]) == 12


def test_a_group_is_one_write_or_none(tmp_path: Path) -> None:
    path = tmp_path / "s.journal"
    storage = JournalStudyStorage(path)
    study = optuna.create_study(study_name="s", storage=storage)
    draft = Draft({"x": 0.5}, {"x": FloatDistribution(0, 1)}, {"who": "me"})
    size = path.stat().st_size
    with suppress(RuntimeError), storage.grouped_writes():
        storage.create_trials(0, [draft] * 3)
        raise RuntimeError
    assert path.stat().st_size == size
    with storage.grouped_writes():
        made = storage.create_trials(0, [draft] * 3)
        assert storage.set_attributes(0, {1: {"a": [1, 2]}}) == set()
    assert [trial.number for trial in made] == [0, 1, 2]
    with storage.grouped_writes():
        storage.end_trials(0, {0: [1.5], 1: [float("nan")]})
        storage.end_trials(0, {0: [9.0]})  # it is finished, and keeps what it has
        assert storage.set_attributes(0, {0: {"late": 1}, 2: {"b": 1}}) == {0}
    theirs = optuna.load_study(
        study_name="s", storage=JournalStorage(JournalFileBackend(str(path)))
    ).trials
    assert [trial.state.name for trial in theirs] == ["COMPLETE", "FAIL", "RUNNING"]
    assert theirs[0].values == [1.5]
    assert theirs[1].user_attrs == {"who": "me", "a": [1, 2]}
    assert theirs[2].user_attrs == {"who": "me", "b": 1}
    assert [t.params for t in theirs] == [{"x": 0.5}] * 3
    assert [t.params for t in study.trials] == [{"x": 0.5}] * 3
    assert all(json.loads(line) for line in path.read_text().splitlines())
