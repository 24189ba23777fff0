"""A study keeps the engine that it began with, though the default is `auto`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gdexp.core.errors import BadInput
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import BASE, DEFINITION
from gdexp.sweeps.study.definition import check_definition
from gdexp.sweeps.study.earlier_studies import continuing
from gdexp.sweeps.study_engine import StudyEngine, engine_in
from tests.sweeps.study.test_earlier_studies import Study, journal, plan


def engine(made: Plan) -> str:
    assert made.engine is not None
    assert made.engine.name == engine_in(made.definition())
    return made.engine.name


@pytest.mark.slow
def test_auto_is_resolved_before_a_study_is_named(here: Path) -> None:
    auto, portable, torch = plan(), plan("engine=portable"), plan("engine=torch")
    assert engine(auto) == "portable"
    assert auto.name == portable.name != torch.name
    assert "engine" not in torch.definition()["config"]
    assert plan("dtype=bfloat16").name == plan("dtype=bfloat16", "engine=torch").name


@pytest.mark.slow
@pytest.mark.parametrize("named", [(), ("sweep.name=s",)])
def test_a_study_on_torch_goes_on_with_torch(here: Path, named: tuple[str, ...]) -> None:
    before, today = plan(*named, "engine=torch"), plan(*named)
    assert engine(continuing(today)) == "portable"
    journal(here, before.name, before.definition())
    kept = continuing(today)
    assert (kept.name, engine(kept)) == (before.name, "torch")
    assert kept.engine is not None
    assert kept.engine.text() == "torch: the study began with it"
    assert kept.experiments(kept.space.encoded(kept.space.point(0)))[0].engine == "torch"
    check_definition(study(before), kept)  # type: ignore[arg-type]
    asked = continuing(plan(*named, "engine=portable"))
    assert engine(asked) == "portable"
    if named:
        with pytest.raises(BadInput, match="made with engine=torch, not portable"):
            check_definition(study(before), asked)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("named", [(), ("sweep.name=s",)])
def test_a_study_on_the_portable_engine_goes_on_with_it(here: Path, named: tuple[str, ...]) -> None:
    before = plan(*named)
    journal(here, before.name, before.definition())
    # As a version would find it in which `auto` takes torch.
    torch = plan(*named, "engine=torch")
    today = replace(torch, base={**torch.base, "engine": "auto"})
    assert engine(today) == "torch"
    kept = continuing(today)
    assert (kept.name, engine(kept)) == (before.name, "portable")


def test_a_study_that_began_with_auto_takes_no_torch_once_portable_is_asked_for(
    here: Path,
) -> None:
    begun = study(plan())
    assert begun.user_attrs[BASE]["engine"] == "auto"  # type: ignore[index]
    asked = plan("engine=portable")
    check_definition(begun, asked)  # type: ignore[arg-type]
    assert begun.user_attrs[BASE] == asked.base


def study(made: Plan) -> Study:
    """A study that was made for a plan."""
    found = Study(definition=made.definition(), base=made.base)
    found.set_user_attr = found.user_attrs.__setitem__  # type: ignore[attr-defined]
    assert found.user_attrs[DEFINITION] == made.definition()
    return found


def test_the_text_of_an_engine_says_for_which_trials_it_is_torch() -> None:
    assert StudyEngine("portable").text() == "portable"
    mixed = StudyEngine("auto", (("problem=factorization", "torch is faster"),))
    assert mixed.text() == "portable\ntorch with problem=factorization: torch is faster"
    reasons = tuple((f"dtype={i}", f"reason {i}") for i in range(7))
    lines = StudyEngine("torch", reasons).text().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("torch: reason 0", "and 2 more", 6)
