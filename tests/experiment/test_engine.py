"""The engine of an experiment: resolved before anything is hashed, one for equal experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from gdexp import BadInput
from gdexp.descent.portable import choice
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plans import Plans
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.tracking.record import ENGINE_REASON_TAG, descent_record
from tests.support.commands import composed

SOLVE = """\
import torch
from gdexp import Problem

class Solve(Problem):
    shape = (2,)
    f_star = 0.0

    def loss(self, x):
        return torch.linalg.solve(torch.eye(2) + x.outer(x), x).square().sum()
"""
OWN = ("problem=custom", "problem.path=solve_own.Solve", "stopping.max_iterations=20")
REASON = r"aten::\S*linalg_solve\S* has no portable form \(solve_own\.py, line 9\)"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A problem of the user's own that has no portable form."""
    (tmp_path / "solve_own.py").write_text(SOLVE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)


def experiment(*lines: str, plans: Plans | None = None) -> Experiment:
    found = composed(*lines)
    return Experiment.from_config(found, trusted_paths(found), plans)


@pytest.mark.slow
def test_auto_is_never_hashed_or_recorded() -> None:
    made = {engine: experiment(f"engine={engine}") for engine in ("auto", "portable", "torch")}
    assert experiment().config == made["auto"].config
    assert made["auto"].config["engine"] == "portable"
    assert made["auto"].signature == made["portable"].signature != made["torch"].signature
    half = experiment("dtype=bfloat16")
    assert half.config["engine"] == "torch"
    assert half.engine_reason == "bfloat16 has no portable form"
    assert half.signature == experiment("dtype=bfloat16", "engine=torch").signature


def test_a_config_without_the_key_means_torch_as_in_earlier_versions() -> None:
    stored = {key: value for key, value in composed().items() if key != "engine"}
    earlier = Experiment.from_config(stored)
    assert (earlier.engine, earlier.run().engine) == ("torch", "torch")
    assert "engine" not in earlier.config
    assert earlier.signature == experiment("engine=torch").signature


@pytest.mark.slow
@pytest.mark.usefixtures("own")
def test_what_has_no_portable_form_is_named_with_its_line() -> None:
    made = experiment(*OWN)
    assert made.config["engine"] == "torch"
    assert made.engine_reason is not None
    with pytest.raises(BadInput, match=f"^engine=portable: cannot be: {REASON}; use engine=auto"):
        experiment(*OWN, "engine=portable")
    record = descent_record(made.of_result(made.run()), made.run())
    assert record.tags["gdexp.engine"] == "torch"
    assert record.tags[ENGINE_REASON_TAG] == made.engine_reason
    assert ENGINE_REASON_TAG not in descent_record(experiment(), experiment().run()).tags


def test_a_disagreement_on_the_way_is_recorded_as_torch_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = experiment()

    def disagree(*_: object) -> Any:
        def check(x: torch.Tensor) -> None:
            raise NotPortable("its loss is not torch's: planted")

        return check

    monkeypatch.setattr("gdexp.descent.portable.engine.check_of", disagree)
    result = made.run()
    ran = made.of_result(result)
    assert (made.config["engine"], ran.config["engine"]) == ("portable", "torch")
    assert ran.engine_reason == "its loss is not torch's: planted"
    assert ran.signature == experiment("engine=torch").signature


def test_a_rehearsal_is_not_the_first_descent() -> None:
    made = experiment(plans=Plans())
    made.rehearse()
    kept = choice.find_plan(
        made.problem, made.rule, made.dtype, made.device, made.problem.start(0), made.plans
    )
    assert not kept.prepared.checked
    made.run()
    assert kept.prepared.checked


@pytest.mark.slow
def test_experiments_that_differ_in_rule_stopping_rule_and_seed_share_the_problem() -> None:
    base = composed("problem=rosenbrock")
    plans = Plans()
    first = Experiment.from_config(base, plans=plans)
    adam = {"name": "adam", "lr": 0.1}
    for changes in (
        {"seed": 7},
        {"optimizer": {**base["optimizer"], "lr": 1e-4}, "stopping": {"threshold": 1e-3}},
        {"optimizer": adam, "seed": 3},
        {"optimizer": {"name": "torch", "class_name": "SGD", "lr": 0.1}},
    ):
        given = {**base, **changes}
        varied, whole = first.varied(given), Experiment.from_config(given, plans=plans)
        assert varied is not None
        assert varied.problem is first.problem
        assert (varied.config, varied.signature) == (whole.config, whole.signature)
        assert (varied.engine, varied.engine_reason) == (whole.engine, whole.engine_reason)
    problem = {**base["problem"], "x0": [0.1, 0.2]}
    for other in ({"dtype": "float64"}, {"engine": "torch"}, {"problem": problem}):
        assert first.varied({**base, **other}) is None
