"""Rows of a batch with a cap that were killed: each limits and is limited as in a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp import Adam, Momentum, Problem, Quadratic, Rosenbrock, Status, Stopping, descend
from gdexp.checkpoints import CheckpointFolder
from gdexp.descent import BatchResult, BatchSaving, SavedRows, descend_batch
from gdexp.descent.cap import Cap
from gdexp.optimizers import Constant, Cosine
from tests.descent.test_saved_descents import At, Kill, assert_same
from tests.support.long_form import share


@dataclass
class Rows:
    """Rows of a batch, each with its threshold, and how they run."""

    problem: Problem
    rules: list[Any]
    stoppings: list[Stopping]
    factor: float = 1.0
    options: dict[str, Any] = field(default_factory=lambda: {"block": 16})

    def run(
        self,
        engine: str,
        saving: BatchSaving | None = None,
        some: Sequence[int] | None = None,
        cap: Cap | None = None,
    ) -> BatchResult:
        """Run some of the rows in an order, by default all."""
        own = range(len(self.rules)) if some is None else some
        return descend_batch(
            self.problem,
            [self.rules[row] for row in own],
            [self.stoppings[row] for row in own],
            engine=engine,
            cap=Cap(self.factor) if cap is None else cap,
            saving=saving,
            **self.options,
        )

    def saved(
        self, engine: str, folder: Path, share: float, earlier: SavedRows | None = None
    ) -> SavedRows | None:
        """Kill all rows after some share of the looks between blocks; return what they saved."""
        counts = At(folder)
        self.run(engine, BatchSaving(counts, earlier))
        if not counts.looks:
            return earlier
        last = max(1, int(counts.looks * share))
        with suppress(Kill):  # there is none after the last look
            self.run(engine, BatchSaving(At(folder, [last], kill=last + 1), earlier))
        found = CheckpointFolder(folder).load()
        assert found is not None
        return SavedRows(found.state, range(len(self.rules)))


def rows_of(name: str) -> Rows:
    """Rows of which each that converges is faster than one before it, and limits others."""
    rates = (1e-4, 2e-4, 1e-3, 5e-4, 0.1, 7e-4, 1e-4)
    plain = [Momentum(lr=lr, momentum=0.9) for lr in rates]
    swept = [Stopping(tau, 700) for tau in (0.5, 0.1, 0.5, 0.1, 0.1, 0.1, 0.5)]
    cases = {
        "thresholds": Rows(Rosenbrock(), plain, swept),
        "chunks": Rows(Rosenbrock(), plain, swept, 2.0, {"block": 16, "chunk": 3}),
        "kinds": Rows(
            Rosenbrock(),
            [Adam(lr=300 * lr, schedule=(Constant(), Cosine(300))[lr > 3e-4]) for lr in rates],
            swept,
        ),
        "traces go on": Rows(
            Rosenbrock(), plain, [Stopping(each.threshold, 700, continue_to=1e-2) for each in swept]
        ),
        "patience": Rows(
            Rosenbrock(),
            plain,
            [Stopping(each.threshold, 700, patience=60, min_delta=2e-2) for each in swept],
        ),
    }
    return cases[name]


CASES = ("thresholds", "chunks", "kinds", "traces go on", "patience")


def front_of(cap: Cap) -> list[int | None]:
    return [cap.limit(threshold) for threshold in (0.05, 0.1, 0.3, 0.5, 1.0)]


@pytest.mark.parametrize(
    ("name", "engine"),
    [pytest.param(name, "torch", marks=pytest.mark.slow) for name in CASES]
    + [(name, "portable") for name in CASES],
)
def test_killed_rows_limit_each_other_as_whole_ones_do(
    name: str, engine: str, tmp_path: Path
) -> None:
    rows, told = rows_of(name), list[str]()
    cap = Cap(rows.factor)
    whole = list(rows.run(engine, cap=cap))
    assert {Status.CONVERGED, Status.CAPPED} <= {each.status for each in whole}
    every, saved, begun = range(len(whole)), None, At(tmp_path)
    rows.run(engine, BatchSaving(begun))
    for part in (0.3, 0.5, 0.8):
        saved = rows.saved(engine, tmp_path, part, saved)
        assert saved is not None
        again, made = Cap(rows.factor), At(tmp_path)
        ends = rows.run(engine, BatchSaving(made, saved, told.append), cap=again)
        for here, there in zip(ends, whole, strict=True):
            assert_same(here, there)
            assert here.stopping == there.stopping
        assert front_of(again) == front_of(cap)
        assert made.looks < begun.looks  # nothing is made twice
        begun = made
        # Trials of the batch that the study was told before the kill are in the cap.
        for first in (2, 5):
            before = Cap(rows.factor)
            for result in whole[:first]:
                if result.converged:
                    before.add(result.threshold, [result.iterations])
            left = SavedRows(saved.state, every[first:])
            saving = BatchSaving(At(tmp_path), left, told.append)
            ends = rows.run(engine, saving, every[first:], before)
            for here, there in zip(ends, whole[first:], strict=True):
                assert_same(here, there)
                assert here.stopping.limit == there.stopping.limit
    assert not told


def test_rows_that_made_more_than_the_cap_allows_by_now_begin_again(tmp_path: Path) -> None:
    rows, told = rows_of("thresholds"), list[str]()
    saved = rows.saved("portable", tmp_path, 0.5)
    cap = Cap(1)
    cap.add(0.1, [20])
    cap.add(0.01, [90])
    before = cap.copy()
    ends = rows.run("portable", BatchSaving(At(tmp_path), saved, told.append), cap=cap)
    for here, there in zip(ends, rows.run("portable", cap=before), strict=True):
        assert_same(here, there)
        assert here.iterations <= 20
    (line,) = told
    assert "6 of 7 descents begin again: " in line  # the other diverges at once


@settings(max_examples=share(60, 12), deadline=None)
@given(st.data(), st.sampled_from(["portable", "torch"]), st.sampled_from([1.0, 1.5]))
def test_whatever_the_cap_is_by_now_each_row_ends_as_alone_with_its_limit(
    data: st.DataObject, engine: str, factor: float
) -> None:
    thresholds = st.sampled_from([1.0, 0.1, 0.01])
    pairs = data.draw(st.lists(st.tuples(st.floats(0.01, 3.0), thresholds), min_size=2, max_size=7))
    rows = Rows(
        Quadratic(),
        [Momentum(lr=lr, momentum=0.5) for lr, _ in pairs],
        [Stopping(threshold, 150) for _, threshold in pairs],
        factor,
        {
            "block": data.draw(st.sampled_from([5, 16])),
            "chunk": data.draw(st.sampled_from([None, 2])),
        },
    )
    with TemporaryDirectory() as folder:
        saved = rows.saved(engine, Path(folder), data.draw(st.floats(0.1, 0.9)))
        if saved is None:
            return
        some = data.draw(st.permutations(range(len(pairs))))[: data.draw(st.integers(1, 7))]
        cap, told = Cap(factor), list[str]()
        for known in data.draw(st.lists(st.tuples(thresholds, st.integers(1, 150)), max_size=2)):
            cap.add(known[0], [known[1]])
        at_first = cap.copy()
        saving = BatchSaving(At(Path(folder)), SavedRows(saved.state, some), told.append)
        ends = rows.run(engine, saving, some, cap)
    for row, result in zip(some, ends, strict=True):
        assert_same(result, descend(rows.problem, rows.rules[row], result.stopping, engine=engine))
        limit = at_first.limit(result.threshold)
        assert limit is None or result.stopping.limit <= limit
    assert all("of" in each and "sweep.cap ends them elsewhere" in each for each in told)
