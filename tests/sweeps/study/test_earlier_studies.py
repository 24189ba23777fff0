"""The name of a study without a name: it lasts when the folder moves and when defaults change."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gdexp import config
from gdexp.config.identity import EARLIER_MEANING
from gdexp.core.errors import BadInput
from gdexp.sweeps.comparable_definition import comparable
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space.composition import compose_space
from gdexp.sweeps.study import earlier_studies
from gdexp.sweeps.study.definition import check_definition
from gdexp.sweeps.study.earlier_studies import continuing
from tests.support.commands import composed

RATES = "optimizer.lr=choice(1,2,4)"


def plan(*lines: str) -> Plan:
    """The plan of `+sweep=manual` with a grid of learning rates."""

    def compose(given: list[str]) -> config.Config:
        return composed("+sweep=manual", *given)

    return Plan.build(*compose_space(config.parse_overrides([*lines, RATES]), compose))


def journal(folder: Path, name: str, definition: dict[str, Any]) -> None:
    """A journal with a study of this definition, as Optuna writes it."""
    path = folder / f"sweeps/{name}/study.journal"
    path.parent.mkdir(parents=True)
    lines = [
        {"op_code": 0, "worker_id": "a", "study_name": name, "directions": [1]},
        {"op_code": 2, "study_id": 0, "user_attr": {"gdexp.definition": definition}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.slow
def test_the_name_does_not_depend_on_the_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plan()
    (here / "deeper").mkdir()
    monkeypatch.chdir(here / "deeper")
    second = plan()
    assert first.name == second.name
    assert first.earlier_name != second.earlier_name
    names = {plan(f"tracking.{given}").name for given in ("uri=sqlite:///b.db", "experiment=b")}
    assert len({*names, first.name}) == 3


def test_the_earlier_name_is_looked_up_first(here: Path) -> None:
    made = plan()
    assert continuing(made).name == made.name
    journal(here, made.name, made.definition())
    journal(here, str(made.earlier_name), made.definition())
    assert continuing(made).name == made.earlier_name
    assert continuing(plan("sweep.name=given")).name == "given"


@pytest.mark.slow
@pytest.mark.parametrize("named", [(), ("sweep.name=s",)])
def test_a_study_keeps_the_sampler_that_was_the_default(
    here: Path, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    before = plan(*named).with_sampler("random")
    journal(here, before.name, before.definition())
    today = plan(*named).with_sampler("tpe")
    assert continuing(today).sampler.name == "tpe"
    monkeypatch.setattr(earlier_studies, "EARLIER_SAMPLERS", ("random",))
    kept = continuing(today)
    assert (kept.name, kept.sampler.name) == (before.name, "random")
    assert continuing(today, sampler_given=True).sampler.name == "tpe"


class Study:
    """What `check_definition` uses of a study."""

    def __init__(self, **attributes: object) -> None:
        self.user_attrs: dict[str, object] = {f"gdexp.{k}": v for k, v in attributes.items()}


def with_key(made: Plan, key: str, value: object) -> Plan:
    """The plan as a later version makes it, with one more key in each config."""
    stopping = {**made.base["stopping"], key: value}
    return replace(made, base={**made.base, "stopping": stopping})


def test_a_new_key_with_the_earlier_meaning_changes_no_name(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan()
    study = Study(definition=made.definition(), base=made.base)
    known = {**EARLIER_MEANING, "stopping.criterion": "loss"}
    monkeypatch.setattr("gdexp.config.identity.EARLIER_MEANING", known)
    later = with_key(made, "criterion", "loss")
    assert later.definition() == made.definition()
    assert config.signature(later.base) == config.signature(made.base)
    check_definition(study, later)  # type: ignore[arg-type]
    other = with_key(made, "criterion", "gradient")
    assert config.signature(other.base) != config.signature(made.base)
    with pytest.raises(BadInput, match=r"stopping\.criterion=None, not gradient"):
        check_definition(study, other)  # type: ignore[arg-type]
    # And a study of the later version goes on, whether or not it stored the key.
    stored = Study(definition=comparable(later.definition()), base=later.base)
    check_definition(stored, made)  # type: ignore[arg-type]


def test_the_numerics_version_is_part_of_both(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan()
    before = made.definition(), config.signature(made.base)
    assert config.signature(made.base, numerics=2) != before[1]
    monkeypatch.setattr("gdexp.config.NUMERICS", 2)
    assert made.definition() == {**before[0], "numerics": 2}
    with pytest.raises(BadInput, match="numerics=None, not 2"):
        check_definition(Study(definition=before[0], base=made.base), made)  # type: ignore[arg-type]


def test_the_version_of_the_portable_arithmetic_is_part_of_portable_ones_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_torch, portable = plan("engine=torch"), plan("engine=portable")
    before = by_torch.definition(), portable.definition()
    assert "arithmetic" not in before[0]
    assert before[1]["arithmetic"] == config.ARITHMETIC
    for made, changes in ((by_torch, False), (portable, True)):
        known = config.signature(made.base)
        assert (config.signature(made.base, arithmetic=2) != known) == changes
    monkeypatch.setattr("gdexp.config.ARITHMETIC", 2)
    assert (by_torch.definition() == before[0], portable.definition() == before[1]) == (True, False)
    with pytest.raises(BadInput, match="arithmetic=1, not 2"):
        check_definition(Study(definition=before[1], base=portable.base), portable)  # type: ignore[arg-type]
