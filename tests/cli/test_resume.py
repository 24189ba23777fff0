"""`+resume`: a run that a signal or a kill ended goes on and ends with the same bits."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from scripts.benchmarks.checkpoints import SINGLE, TRAINING, lives_of, outcome
from tests.support.commands import fork_server, gdexp, start

SLOW = "problem.arguments={pause: 0.02}"


def line() -> list[str]:
    """The command of one run, with checkpoints as they are by default."""
    return [each for each in SINGLE if not each.startswith("checkpoint.every")]


def begin(folder: Path) -> Path:
    folder.mkdir()
    (folder / "net.py").write_text(TRAINING)
    return folder


@pytest.mark.slow
def test_a_run_that_a_signal_ends_is_saved_and_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole, own = begin(tmp_path / "a"), begin(tmp_path / "b")
    gdexp(*line(), SLOW, cwd=whole)
    running = start(*line(), SLOW, cwd=own)
    while "20" not in running.written()[0]:  # iterations
        time.sleep(0.01)
    running.send_signal(signal.SIGUSR1)
    done = running.wait()
    assert done.status == 128 + signal.SIGUSR1
    run_id = next((own / "checkpoints").iterdir()).name
    assert f"+resume={run_id} 'trust=[net.Net]'" in done.out
    assert gdexp("+resume", cwd=own, expect=2).stderr.count("trust=[net.Net]") == 1
    assert "has no checkpoint" in gdexp("+resume=0000", cwd=own, expect=2).stderr
    again = gdexp(*line(), SLOW, "seed=1", cwd=own)
    assert run_id not in again.stderr + again.stdout  # of other settings
    (own / "net.py").write_text(TRAINING.replace("0.01 * noise", "0.02 * noise"))
    changed = gdexp("+resume", "trust=[net.Net]", cwd=own, expect=1)
    assert "net.py changed since it was made" in changed.stderr
    (own / "net.py").write_text(TRAINING)
    other = gdexp("+resume", "trust=[net.Net]", "optimizer.lr=1", cwd=own, expect=2)
    assert "comes from the run itself; only stopping.max_iterations" in other.stderr
    resumed = gdexp(f"+resume={run_id[:9]}", "trust=[net.Net]", cwd=own)
    assert f"run {run_id} at update" in resumed.stdout
    made = outcome(own)
    assert set(outcome(whole).descents) <= set(made.descents)
    assert (made.twice, made.left) == (0, 0)
    assert "has no checkpoint" in gdexp("+resume", cwd=own, expect=2).stderr


@pytest.mark.slow
def test_kills_change_no_bit_of_a_sweep(tmp_path: Path) -> None:
    lives, straight = lives_of(fork_server(), tmp_path, 2, ["sweep"])
    for life in lives:
        found = outcome(life.folder)
        assert found.descents == straight["sweep"].descents
        assert (found.twice, found.left) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sweep of descents"])
def test_kills_change_no_bit_of_a_function_that_is_minimised(kind: str, tmp_path: Path) -> None:
    (life, *_), straight = lives_of(fork_server(), tmp_path, 1, [kind])
    found = outcome(life.folder)
    assert found.descents == straight[kind].descents
    assert (found.twice, found.left) == (0, 0)


def test_bad_settings_of_checkpoints_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    begin(tmp_path / "a")
    said = gdexp(*line(), "checkpoint.every=0", cwd=tmp_path / "a", expect=2).stderr
    assert "checkpoint.every=0: must be > 0" in said
    assert sorted(each.name for each in (tmp_path / "a").iterdir() if each.name[0] != "_") == [
        "net.py"
    ]
