"""The check that a study is continued with the definition that it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp.config import ADDED_KEYS, flatten, without_earlier_meaning
from gdexp.core import BadInput
from gdexp.sweeps.comparable_definition import comparable
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import BASE, DEFINITION
from gdexp.sweeps.study_engine import ENGINE

if TYPE_CHECKING:
    from optuna import Study


def check_definition(study: Study, plan: Plan) -> None:
    """Store the definition in a new study; compare it with that of an old one.

    Raises:
        BadInput: the definitions differ; the first difference is named.
    """
    wanted = plan.definition()
    stored = study.user_attrs.get(DEFINITION)
    if stored is None:
        study.set_user_attr(BASE, plan.base)
        study.set_user_attr(DEFINITION, wanted)
        return
    if comparable(stored) != wanted:
        difference = _first_difference(comparable(stored), wanted)
    elif not same_config(_base(study), {**plan.base, ENGINE: None}):
        difference = "another base config"
    else:
        asked = plan.base.get(ENGINE)
        if asked == "portable" and study.user_attrs[BASE].get(ENGINE) != asked:
            study.set_user_attr(BASE, plan.base)  # no trial may take torch from now on
        return
    raise BadInput(
        "sweep.name", plan.name, f"this study was made with {difference}; give another sweep.name"
    )


def _base(study: Study) -> dict[str, Any]:
    """Return the base config that a study stored, without the engine, which its definition has."""
    return {**study.user_attrs.get(BASE, {}), ENGINE: None}


def same_config(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether two configs mean the same, however many keys their versions of gdexp had."""
    return without_earlier_meaning(stored) == without_earlier_meaning(wanted)


def _first_difference(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    before, now = ({**ADDED_KEYS, **_flat(each)} for each in (stored, wanted))
    # The engine first: others follow from it.
    for key in sorted({*before, *now}, key=lambda each: (each != ENGINE, each)):
        if before.get(key) != now.get(key):
            return f"{key}={before.get(key)}, not {now.get(key)}"
    return "another definition"


def _flat(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition as one level of keys, those of its config without a prefix."""
    others = {key: value for key, value in definition.items() if key != "config"}
    return flatten({**definition.get("config", {}), **others})
