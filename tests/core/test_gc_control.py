"""Garbage is not looked for while libraries are imported, and is while anything descends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from gdexp.core import gc_control
from gdexp.core.process import Process
from tests.support.commands import gdexp

pytestmark = pytest.mark.slow


@pytest.fixture
def restored() -> Iterator[None]:
    """Afterwards garbage is looked for as before."""
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("restored")
def test_garbage_is_looked_for_again_once_the_work_begins_but_not_among_what_is_there() -> None:
    process = Process()
    process.garbage.postpone()
    assert not gc.isenabled()
    with process.current():
        gc_control.begin()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("restored")
def test_beginning_changes_nothing_in_a_process_that_put_nothing_off() -> None:
    gc.disable()
    frozen = gc.get_freeze_count()
    gc_control.begin()
    with Process().current():
        gc_control.begin()
    assert not gc.isenabled()
    assert gc.get_freeze_count() == frozen


@pytest.mark.parametrize("line", [[], ["+sweep", "sweep.n_trials=2", "sweep.name=s"]])
def test_garbage_is_looked_for_while_a_descent_of_a_command_goes_on(
    tmp_path: Path, line: list[str]
) -> None:
    (tmp_path / "watched.py").write_text(
        "import gc\n"
        "def loss(x):\n"
        "    print(gc.isenabled(), file=open('seen.txt', 'a'))\n"
        "    return (x ** 2).sum()\n"
    )
    problem = ["problem=custom", "problem.path=watched.loss", "problem.x0=[1.0,2.0]"]
    short = ["optimizer.lr=0.1", "stopping.max_iterations=5"]
    gdexp(*line, *problem, *short, cwd=tmp_path, expect=1 if line else 0)  # nothing converges
    assert (tmp_path / "seen.txt").read_text().splitlines()[-5:] == ["True"] * 5
