"""What a person sees of a sweep that goes on, and what stays in a log."""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gdexp.descent.stopping import Status
from gdexp.sweeps.display.progress import FinishedTrial, Progress
from tests.support.names import STATUSES


@dataclass(frozen=True)
class Trial:
    status: str = "converged"
    iterations: float = 19
    final_loss: float = 7.92e-06
    threshold: float = 1e-5


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Shown:
    """A progress, its clock and what it has written."""

    def __init__(self, total: int = 100, width: int = 80, done: int = 0, **console: Any) -> None:
        self.file = io.StringIO()
        self.clock = Clock()
        self.out = Console(file=self.file, width=width, **console)
        self.progress = Progress(self.out, total, done, clock=self.clock)

    def add(self, count: int, seconds: float, *trials: FinishedTrial) -> None:
        for i in range(count):
            self.clock.now += seconds
            trial = (trials or (Trial(),))[i % max(len(trials), 1)]
            converged = trial.status == "converged"
            self.progress.add(trial, float(trial.iterations) if converged else 1e6)

    def lines(self, width: int = 80, ascii_only: bool = False) -> list[str]:
        return [line.plain for line in self.progress.lines(width, ascii_only)]

    @property
    def written(self) -> list[str]:
        return self.file.getvalue().splitlines()


def terminal(**console: Any) -> Shown:
    return Shown(force_terminal=True, color_system="standard", **console)


def test_trials_by_status_best_steps_and_time_left() -> None:
    shown = terminal()
    shown.add(20, 2.0, Trial(), Trial("diverged", 7), Trial("capped", 19), Trial())
    shown.progress.add(Trial(iterations=12), 12.0, lr=4.49831234)
    first, second = shown.lines()
    assert first.endswith("── 21/100 trials · 332 steps · 2 min left")
    assert second == "best 12 iterations at lr 4.49831 · 11 converged · 5 diverged · 5 capped"


def test_steps_are_those_made_where_a_trial_says_so() -> None:
    @dataclass(frozen=True)
    class Reused(Trial):
        steps: int = 0

    shown = terminal()
    shown.add(2, 1.0, Trial(), Reused())
    assert "19 steps" in shown.progress.text()


def test_earlier_trials_count_but_say_nothing_of_the_pace() -> None:
    shown = terminal(total=10, done=2)
    for _ in range(3):
        shown.progress.add_earlier(Trial(iterations=40), 40.0)
    assert shown.progress.text() == "5/10 trials, best 40 iterations, 3 converged, 120 steps"
    shown.add(1, 70.0)
    assert shown.progress.text().endswith(", 5 min left")


def test_the_best_is_the_smallest_value_and_names_what_converged() -> None:
    shown = terminal()
    shown.progress.add(Trial("max_iterations", 500), 900.0)
    assert "none converged yet" in shown.progress.text()
    shown.progress.add(Trial(iterations=1), 0.7)
    shown.progress.add(Trial(iterations=0), None)
    shown.progress.add(Trial(iterations=0), math.nan)
    assert "best 1 iteration, " in shown.progress.text()


@pytest.mark.parametrize("seconds", [0.002, 0.5, 40.0])
def test_the_time_left_is_the_mean_of_the_last_trials(seconds: float) -> None:
    shown = terminal(total=1000)
    if seconds > 0.01:  # older ones are forgotten, but not within half a minute
        shown.add(300, 100 * seconds)
    shown.add(400, seconds, Trial(), Trial("capped", 3))
    # Each by itself, and in batches of which all end at once.
    for size in (1, 50):
        for _ in range(250 // size):
            shown.clock.now += seconds * size
            shown.add(size, 0.0)
            left = shown.progress._time_left.seconds(shown.clock.now, 500)
            assert left == pytest.approx(500 * seconds, rel=0.2)


def test_a_batch_says_the_time_left_from_its_first_trial_on() -> None:
    shown = terminal(total=640)
    shown.clock.now += 64.0
    shown.add(64, 0.0)
    assert shown.progress.text().endswith(" 10 min left")


def test_a_trial_that_takes_longer_than_the_others_puts_the_end_off() -> None:
    shown = terminal(total=20)
    shown.add(10, 1.0)
    assert "10 s left" in shown.progress.text()
    shown.clock.now += 500
    assert "min left" in shown.progress.text()


def test_a_long_descent_has_a_line_with_its_way_to_the_threshold() -> None:
    shown = terminal()
    shown.add(12, 1.0)
    shown.progress.show_descent("trial 12", 100, 1e-1, 1e-5)
    assert len(shown.lines()) == 2
    shown.clock.now += 1
    shown.progress.show_descent("trial 12", 12_400, 1e-3, 1e-5)
    third = shown.lines()[2]
    assert third == "trial 12 ━━━━━━━━━━────────── iteration 12,400, loss 1.0e-03 → 1e-05"
    assert "12,628 steps" in shown.lines()[0]
    assert shown.lines(40)[2] == "trial 12 ━━━━━───── loss 1.0e-03 → 1e-05"
    assert shown.lines(25)[-1] == "trial 12 1.0e-03 → 1e-05"
    shown.add(1, 1.0)
    assert len(shown.lines()) == 2


def test_trials_that_run_together_have_one_line() -> None:
    shown = terminal()
    for iteration in (100, 2000):
        shown.clock.now += 1
        shown.progress.show_descent("64 trials at once", iteration, math.nan, math.nan, 37)
    assert shown.lines()[-1] == "64 trials at once 37 going, iteration 2,000"


def test_the_name_of_the_gap_can_be_said() -> None:
    shown = terminal()
    for _ in range(2):
        shown.clock.now += 1
        shown.progress.show_descent("trial 3", 10, 0.5, 1e-5, name="loss - f*")
    assert "loss - f* 5.0e-01 → 1e-05" in shown.lines()[-1]
    assert shown.lines(27)[-1] == "trial 3 5.0e-01 → 1e-05"


def drawn(text: str) -> int:
    """How often the cursor went back to draw anew."""
    return len(re.findall(r"[\d,]+/[\d,]+ trials", text))


def test_a_terminal_is_drawn_to_ten_times_a_second_and_left_clean() -> None:
    shown = terminal(total=5000)
    with shown.progress:
        shown.add(5000, 0.002)
    assert 50 <= drawn(shown.file.getvalue()) <= 102
    # Everything that was drawn is erased again: as many lines up as there were.
    assert shown.file.getvalue().endswith("\x1b[2K\x1b[1A\x1b[2K")
    assert "\x1b[32m" in shown.file.getvalue()


def test_a_slow_terminal_takes_little_of_the_time() -> None:
    shown = terminal(total=5000)

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            shown.clock.now += 0.1
            return super().write(text)

    shown.out.file = shown.file = Slow()
    with shown.progress:
        shown.add(5000, 0.01)
    assert drawn(shown.file.getvalue()) <= 60


@pytest.mark.slow
@pytest.mark.parametrize("width", [80, 40, 20, 5])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    shown = terminal(total=5000, width=width)
    with shown.progress:
        for i, status in enumerate(4 * list(Status)):
            shown.clock.now += 60.0
            shown.progress.add(Trial(status, 1_234_567 + i), 1e6 - i, lr=0.000123456789)
            for iteration in (1, 123_456_789):
                shown.clock.now += 1
                shown.progress.show_descent(f"trial {i}", iteration, 1e-3, 1e-5)
                assert max(map(len, shown.lines(width))) <= width
                assert all(shown.lines(width))
    if width >= 40:
        lines = shown.lines(width)
        assert len(lines) <= 6
        assert all(any(status in line for line in lines) for status in Status)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_the_signs_gets_others(encoding: str) -> None:
    shown = terminal(total=10)
    raw = io.BytesIO()
    shown.out.file = io.TextIOWrapper(raw, encoding=encoding)
    with shown.progress:
        shown.add(3, 1.0)
        for iteration in (1, 100):
            shown.clock.now += 1
            shown.progress.show_descent("trial 3", iteration, 1e-3 / iteration, 1e-5)
        for width in (80, 40, 12):
            "\n".join(shown.lines(width, ascii_only=True)).encode("ascii")
    shown.out.file.flush()
    assert "loss 1.0e-05 -> 1e-05" in raw.getvalue().decode(encoding)


def test_no_colour_is_needed() -> None:
    shown = Shown(force_terminal=True, no_color=True, color_system="standard")
    with shown.progress:
        shown.add(30, 1.0, Trial(), Trial("diverged", 3))
    text = shown.file.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)
    assert "━─" in re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("dumb", [False, True])
def test_a_log_has_a_line_after_a_second_then_every_ten_and_one_at_the_end(
    dumb: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    shown = Shown(total=40, force_terminal=dumb, width=200)
    with shown.progress:
        shown.add(38, 0.6)
        shown.progress.show_descent("trial 38", 500, 1e-3, 1e-5)
        shown.clock.now += 9
        shown.progress.show_descent("trial 38", 12_400, 1e-4, 1e-5)
        shown.add(2, 0.1)
    assert shown.written == [
        "2/40 trials, best 19 iterations, 2 converged, 38 steps",
        "19/40 trials, best 19 iterations, 19 converged, 361 steps, 13 s left",
        "36/40 trials, best 19 iterations, 36 converged, 684 steps, 2 s left",
        "38/40 trials, trial 38: iteration 12,400, loss 1.0e-04 -> 1e-05, 2 s left",
        "40/40 trials, 40 converged, 760 steps",
    ]
    assert "\x1b" not in shown.file.getvalue()


@pytest.mark.parametrize("label", ["trial 38", "8,192 trials at once"])
def test_a_line_of_a_log_moves_while_a_descent_runs_however_much_there_is_to_say(
    label: str,
) -> None:
    shown = Shown(total=4_000_000, done=3_000_000)
    for status in ("capped", "diverged", "stalled", "max_iterations", "below_minimum"):
        shown.add(1, 3600.0, Trial(status=status))
    written = len(shown.written)
    for i in range(1, 4):
        shown.clock.now += 11
        shown.progress.show_descent(label, 10**9 * i, 1.234e-10, 1.2345e-11)
    lines = shown.written[written:]
    assert len(set(lines)) == 3
    assert all(f"iteration {i},000,000,000" in line for i, line in enumerate(lines, 1))
    assert all(len(line) <= 80 for line in lines)


def test_before_the_first_trial_has_ended_the_time_left_is_a_bound() -> None:
    shown = Shown(total=100)
    for iteration in (0, 500):
        shown.progress.show_descent("trial 0", iteration, 0.1, 1e-5, most=100_000)
        shown.clock.now += 0.71
    # 1.42 s for 500 iterations, and 100 trials of 100,000.
    assert shown.progress.text().endswith(", at this pace at most 7 h 53 min left")
    shown.add(1, 140.0)
    assert "at most" not in shown.progress.text()


def test_trials_of_other_processes_move_the_line_before_the_first_has_ended() -> None:
    shown = Shown(total=100)
    with shown.progress:
        for _ in range(60):
            shown.clock.now += 0.3
            shown.progress.show_running(4)
        assert shown.lines()[1] == "4 running · 18 s so far"
    assert shown.written == [
        "0/100 trials, 4 running, 1 s so far",
        "0/100 trials, 4 running, 11 s so far",
    ]


def test_a_log_of_a_short_sweep_is_one_line_and_of_none_is_empty() -> None:
    shown = Shown(total=3, width=40)
    with shown.progress:
        shown.progress.add_earlier(Trial(), 19.0)
        shown.add(2, 0.1)
    assert shown.written == ["3/3 trials, 3 converged, 57 steps"]
    shown = Shown(total=1)
    with shown.progress:
        shown.progress.add_earlier(Trial(), 19.0)
    assert shown.written == []


def test_words_in_brackets_are_words() -> None:
    shown = Shown(total=3, width=40)
    with shown.progress:
        shown.clock.now += 20
        shown.progress.show_descent("trial [red]", 3, 0.5, 1e-5)
    assert "trial [red]: iteration 3" in shown.written[0]


@pytest.mark.parametrize("kind", [True, False])
def test_a_terminal_that_goes_away_ends_nothing(kind: bool) -> None:
    shown = Shown(total=1000, force_terminal=kind)

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    with shown.progress:
        shown.add(10, 1.0)
        shown.out.file = Gone()
        shown.add(100, 1.0)
    assert "110/1,000 trials" in shown.progress.text()


anything = st.floats(allow_nan=True, allow_infinity=True)
counts = st.integers(0, 10**12)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*STATUSES, "something new"]), anything, anything, anything, counts
        ),
        max_size=6,
    ),
    st.integers(0, 5),
    st.booleans(),
)
def test_whatever_it_is_given_it_shows_something(
    trials: list[tuple[str, float, float, float, int]], total: int, live: bool
) -> None:
    shown = Shown(total=total, width=40, force_terminal=live)
    with shown.progress:
        for status, iterations, gap, threshold, count in trials:
            shown.clock.now += abs(gap) if 1e-3 < abs(gap) < 1e9 else 0.0
            shown.progress.show_descent("trial", count, gap, threshold, count % 3)
            shown.clock.now += 1
            shown.progress.show_descent("trial", count + 1, threshold, gap)
            assert max(map(len, shown.lines(30))) <= 30
            shown.progress.add_earlier(Trial(status, iterations, gap, threshold), gap)
            shown.progress.add(Trial(status, iterations, gap, threshold), threshold, lr=gap)
            assert max(map(len, shown.lines(30))) <= 30
            assert shown.progress.text().isascii()
