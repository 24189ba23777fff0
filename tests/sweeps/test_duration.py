"""The duration of a sweep is estimated before it begins, and each shorter way with its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
import torch

from gdexp import config
from gdexp.cli.main import main
from gdexp.core import GdexpError
from gdexp.experiment import Experiment
from gdexp.sweeps.duration import Duration, estimated_duration
from gdexp.sweeps.pilot import Pilot, pilot
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space import compose_space
from tests.support.commands import composed

HOPELESS = Pilot(threshold=1e-6, iterations=1e5, converges=False, fixed=0.0, each=1.42e-3)
QUICK = Pilot(threshold=1e-6, iterations=50, converges=True, fixed=0.1, each=1.42e-3)

Estimate = Callable[..., "Duration | None"]


def plan_of(*lines: str) -> Plan:
    given = config.parse_overrides(["+sweep=default", *lines])
    base, space = compose_space(given, lambda each: composed(*each))
    return Plan.build(base, space)


@pytest.fixture
def estimate(here: Path, monkeypatch: pytest.MonkeyPatch) -> Estimate:
    """The duration of a sweep whose pilots are given in turn."""

    def known(pilots: list[Pilot], *lines: str) -> Duration | None:
        turns: Iterator[Pilot] = cycle(pilots)

        def begun(experiment: Experiment, negligible: float) -> Pilot:
            made, most = next(turns), experiment.stopping.limit
            return replace(made, iterations=min(made.iterations, most))

        monkeypatch.setattr("gdexp.sweeps.duration.pilot", begun)
        return estimated_duration(plan_of(*lines))

    return known


@pytest.mark.slow
def test_a_long_sweep_says_how_long_and_each_shorter_way_is_as_long_as_it_says(
    estimate: Estimate,
) -> None:
    long = estimate([HOPELESS, QUICK])
    assert long is not None
    assert long.text().startswith("about 1 h 58 min: 100 trials × 71 s, if all are like the first ")
    assert long.seconds == pytest.approx(50 * 142 + 50 * (0.1 + 50 * 1.42e-3))
    assert {way.override.partition("=")[0] for way in long.ways} == {
        "sweep.cap",
        "sweep.n_trials",
        "stopping.max_iterations",
    }
    for way in long.ways:
        assert f"{way.override} (" in long.text()
        then = estimate([HOPELESS, QUICK], way.override)
        if way.seconds > 60:
            assert then is not None
            assert then.seconds == pytest.approx(way.seconds)
        else:
            assert then is None


@pytest.mark.slow
def test_workers_seeds_and_a_timeout_count(estimate: Estimate) -> None:
    alone = estimate([HOPELESS])
    assert alone is not None
    for line, factor in (("sweep.workers=4", 0.25), ("sweep.seeds=3", 3.0)):
        other = estimate([HOPELESS], line)
        assert other is not None
        assert other.seconds == pytest.approx(factor * alone.seconds)
    assert estimate([HOPELESS], "sweep.timeout=30") is None
    limited = replace(HOPELESS, limit=2.0)
    other = estimate([limited])
    assert other is not None
    assert other.seconds == pytest.approx(200)


@pytest.mark.slow
def test_what_may_be_shorter_says_at_most(estimate: Estimate) -> None:
    for line, said in (
        ("seed=0", "about "),
        ("sweep.pruner=median", "at most about "),
        ("sweep.sampler=random", "at most about "),
    ):
        known = estimate([HOPELESS], line)
        assert known is not None
        assert known.text().startswith(said)


@pytest.mark.slow
def test_a_short_sweep_says_nothing_and_code_that_fails_is_left_out(
    estimate: Estimate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert estimate([QUICK]) is None

    def failing(*_: object) -> Pilot:
        raise GdexpError("the loss raised")

    monkeypatch.setattr("gdexp.sweeps.duration.pilot", failing)
    assert estimated_duration(plan_of()) is None


@pytest.mark.slow
def test_a_pilot_measures_an_iteration_and_projects_how_many_are_needed(here: Path) -> None:
    (here / "sleeping.py").write_text(
        "import time\n\nimport torch\n\nfrom gdexp import Problem\n\n\n"
        "class Sleeping(Problem):\n    name = 'sleeping'\n    shape = (1,)\n    f_star = 0.0\n\n"
        "    def loss(self, x: torch.Tensor) -> torch.Tensor:\n"
        "        time.sleep(0.01)\n        return (x**2).sum()\n"
    )
    own = ("problem=custom", "+problem.path=sleeping.Sleeping", "engine=torch", "seed=3")
    rate = ("optimizer.lr=1e-4", "stopping.threshold=1e-12")
    experiment = Experiment.from_config(
        config.outcome(composed(*own, *rate)), ("sleeping.Sleeping",)
    )
    began = time.perf_counter()
    known = pilot(experiment)
    took = time.perf_counter() - began
    assert 0.01 <= known.each <= took
    # x shrinks by 1 - 2e-4 in an iteration, and the loss by its square.
    x0 = torch.Tensor(experiment.start())
    exact = torch.log(x0**2 / 1e-12) / (-2 * torch.log(torch.tensor(1 - 2e-4)))
    assert known.iterations == pytest.approx(float(exact), rel=0.2)
    assert known.converges


@pytest.mark.slow
def test_the_preview_of_a_long_sweep_says_its_duration_and_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gdexp.sweeps.duration.pilot", lambda *_: HOPELESS)
    assert main(["+sweep", "sweep.preview=true"]) == 0
    said = capsys.readouterr().out
    assert "time     about 3 h 57 min: 100 trials × 142 s, if all are like the first 2" in said
    assert max(map(len, said.splitlines())) <= 80
    assert not [*here.iterdir()]
