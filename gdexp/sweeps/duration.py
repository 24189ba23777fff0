"""How long a sweep will take, and what makes it shorter: estimated before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gdexp.core import GdexpError, format_duration
from gdexp.descent import GRADIENT_NORM, Cap
from gdexp.experiment import LOOP, Experiment
from gdexp.sweeps.early_trials import first_trials
from gdexp.sweeps.pilot import Pilot, pilot
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.pruning import NONE
from gdexp.sweeps.thresholds import study_sign

if TYPE_CHECKING:
    from rich.console import Console

LONG = 60.0
"""A sweep of more seconds is announced with its duration."""

NEGLIGIBLE = LONG / 3
"""A sweep that cannot take longer need not be measured exactly."""

MOST_PILOTS, PILOT_SECONDS = 10, 3.0
"""The most pilots, and the time after which no new one begins."""

FEWEST_TRIALS, FEWEST_ITERATIONS = 10, 100
"""A sweep of fewer trials or shorter trials than this is not proposed."""


@dataclass(frozen=True)
class Way:
    """A shorter way.

    Attributes:
        override: what to add to the command.
        seconds: of the sweep then.
    """

    override: str
    seconds: float


@dataclass(frozen=True)
class Duration:
    """The estimate for a sweep.

    Attributes:
        trials: of the sweep.
        workers: that share them.
        seconds: of the whole sweep.
        at_most: whether it may well be shorter: something ends trials early that pilots do not
            foresee, or trials run together.
        pilots: the number of trials that were begun for it.
        ways: shorter ones, the shortest last.
    """

    trials: int
    workers: int
    seconds: float
    at_most: bool
    pilots: int
    ways: tuple[Way, ...] = ()

    @property
    def each(self) -> float:
        """The seconds of a trial."""
        return self.seconds * self.workers / self.trials

    def text(self) -> str:
        """Return it in one or two lines."""
        about = "at most about" if self.at_most else "about"
        among = f" / {self.workers} workers" if self.workers > 1 else ""
        begun = "the first" if self.pilots == 1 else f"the first {self.pilots}"
        cost = f"{self.trials:,} trials × {_short(self.each)}{among}"
        text = f"{about} {format_duration(self.seconds)}: {cost}, if all are like {begun}"
        if not self.ways:
            return text
        ways = ", ".join(f"{way.override} ({format_duration(way.seconds)})" for way in self.ways)
        return f"{text}\nshorter: {ways}"

    def answer(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "seconds": self.seconds,
            "seconds_per_trial": self.each,
            "at_most": self.at_most,
            "pilots": self.pilots,
            "ways": [{"override": each.override, "seconds": each.seconds} for each in self.ways],
        }


def estimated_duration(plan: Plan) -> Duration | None:
    """Return how long a sweep will take; None where it is short, or where nothing is known of it.

    The first trials are begun for a moment each. One is enough where even trials that make all the
    iterations that they may make are no long sweep. Nothing is known of a loop of the user's own,
    of another application, or of gradient norms, before the first trial has ended.
    """
    of_norm = plan.base["stopping"].get("measure") == GRADIENT_NORM
    if plan.base["problem"].get("name") == LOOP or plan.tells_failures or of_norm:
        return None
    pilots = _pilots(plan)
    if not pilots:
        return None
    known = _Estimate(plan, pilots)
    seconds = known.total(plan.n_trials, plan.settings.cap)
    timeout = plan.settings.timeout
    if timeout is not None:
        seconds = min(seconds, timeout)
    if seconds < LONG:
        return None
    pruned = plan.pruner.name != NONE or plan.settings.patience is not None
    together = plan.sampler.startup is None or plan.settings.batch is not None
    at_an_end = bool(plan.user_codes())
    return Duration(
        trials=plan.n_trials,
        workers=plan.settings.worker_count,
        seconds=seconds,
        at_most=pruned or together or at_an_end,
        pilots=len(pilots),
        ways=_ways(plan, known, seconds),
    )


def print_duration(out: Console, known: Duration | None) -> None:
    """Print how long the sweep will take, if it is long."""
    if known is not None:
        from gdexp.display import terminal

        terminal.print_facts(out, [(f"{'time':{len('problem')}}", known.text())])  # as the plan
        out.print()


def _pilots(plan: Plan) -> list[Pilot]:
    """Begin the first trials; those whose code fails are left out.

    Code of the user's own may end the process at some values. It is begun at an end of the space
    alone, where it was tried already.
    """
    began, most = time.monotonic(), int(plan.base["stopping"]["max_iterations"])
    negligible = NEGLIGIBLE / _total(plan, most, plan.n_trials)
    found: list[Pilot] = []
    for experiment in plan.examples()[:1] if plan.user_codes() else _first(plan):
        try:
            found.append(pilot(experiment, negligible))
        except GdexpError:
            continue
        longest = max(each.fixed + most * each.each for each in found)
        is_short = _total(plan, longest, plan.n_trials) < LONG
        if (
            is_short and len(found) >= len(plan.problems)
        ) or time.monotonic() - began > PILOT_SECONDS:
            break
    return found


def _first(plan: Plan) -> Iterator[Experiment]:
    """Yield the experiments of the first trials; the later ones are asked for only if needed."""
    (first,) = first_trials(plan, 1)
    problems = plan.problems or (None,)
    for problem in problems:
        yield plan.experiment(plan.space.encoded(first), problem=problem)
    for each in first_trials(plan, MOST_PILOTS)[1:]:
        for problem in problems:
            yield plan.experiment(plan.space.encoded(each), problem=problem)


def _total(plan: Plan, each: float, trials: int) -> float:
    """Return the seconds of trials whose descents take so long."""
    descents = plan.settings.seeds * max(len(plan.problems), 1)
    return each * trials * descents / min(plan.settings.worker_count, trials)


class _Estimate:
    """The seconds of a sweep like its pilots.

    Args:
        plan: of the sweep.
        pilots: of its first trials.
    """

    def __init__(self, plan: Plan, pilots: Sequence[Pilot]) -> None:
        self._plan, self._pilots = plan, pilots

    def total(self, trials: int, factor: float | None, most: float = math.inf) -> float:
        """Return the seconds of so many trials.

        Args:
            trials: of the sweep.
            factor: of the cap; None: no cap.
            most: iterations of a trial.
        """
        cap = Cap(factor, study_sign(self._plan))
        first = [self._capped(each, cap, most, add=True) for each in self._pilots[:trials]]
        later = [self._capped(each, cap, most) for each in self._pilots]
        rest = (trials - len(first)) * sum(later) / len(later)
        return _total(self._plan, (sum(first) + rest) / trials, trials)

    def _capped(self, each: Pilot, cap: Cap, most: float, add: bool = False) -> float:
        """Return the seconds of a trial like a pilot under a cap, which it then may tighten."""
        limit = cap.limit(each.threshold)
        most = most if limit is None else min(most, limit)
        if add and each.converges and each.iterations <= most and cap.factor is not None:
            cap.add(each.threshold, [math.ceil(each.iterations)])
        return each.cost(most)


def _ways(plan: Plan, known: _Estimate, seconds: float) -> tuple[Way, ...]:
    """Return shorter ways that can be computed, each with its own duration."""
    found, settings = [], plan.settings
    wanted = LONG if seconds <= 10 * LONG else 3 * LONG
    can_cap = settings.cap is None and plan.descents == 1 and plan.counts_iterations
    if can_cap and not plan.several:
        found.append(Way("sweep.cap=1", known.total(plan.n_trials, 1.0)))
    trials = max(_rounded(plan.n_trials * wanted / seconds), FEWEST_TRIALS)
    if trials < plan.n_trials:
        found.append(Way(f"sweep.n_trials={trials}", known.total(trials, settings.cap)))
    longest = int(plan.base["stopping"]["max_iterations"])
    most = longest
    while most > FEWEST_ITERATIONS and known.total(plan.n_trials, settings.cap, most) > wanted:
        most = max(_rounded(most * 0.7), FEWEST_ITERATIONS)
    shorter = known.total(plan.n_trials, settings.cap, most)
    if most < longest and shorter <= wanted:
        found.append(Way(f"stopping.max_iterations={most}", shorter))
    useful = [way for way in found if way.seconds < 0.7 * seconds]
    return tuple(sorted(useful, key=lambda way: -way.seconds))


def _rounded(count: float) -> int:
    """Return a count rounded down to 1, 2 or 5 times a power of ten; at least 1."""
    power = 10 ** int(math.log10(max(count, 1)))
    return int(next(each * power for each in (5, 2, 1) if each * power <= max(count, 1)))


def _short(seconds: float) -> str:
    """Return the duration of a trial: with two digits below ten seconds, and long in seconds."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    return f"{seconds:.0f} s" if seconds < 600 else format_duration(seconds)
