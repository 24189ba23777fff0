"""The study that a plan goes on with, where an earlier version or another default made it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gdexp.sweeps.comparable_definition import comparable
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import DEFINITION
from gdexp.sweeps.study.study import stored_definition
from gdexp.sweeps.study_engine import engine_in

EARLIER_SAMPLERS: tuple[str, ...] = ("tpe",)
"""The values that `sweep.sampler` had by default in earlier versions. A study keeps its sampler."""

Definition = Mapping[str, Any]


def continuing(plan: Plan, sampler_given: bool = False) -> Plan:
    """Return the plan with name, sampler and engine of the study that it goes on with.

    The name that an earlier version gave is looked up first: it held the store's path. If the
    folder was moved since, `continue_moved_study` finds the study. A study of 0.1.0 that lists
    equal values goes on with each of them.

    Args:
        plan: complete, with the name that this version gives.
        sampler_given: whether the user chose the sampler; else it may be an earlier default.
    """
    if plan.written is not None:
        listed = continuing(plan.written, sampler_given)
        stored = _stored(listed)
        if stored is not None and comparable(stored)["space"] == listed.definition()["space"]:
            return listed
    if plan.earlier_name is None:
        plan = _with_stored_engine(plan)
    if plan.earlier_name is None:
        _, *earlier = _with_samplers(plan, sampler_given)
        return next((each for each in earlier if _is_stored(each)), plan)
    for each in possible_plans(plan, sampler_given):
        for name in (str(each.earlier_name), each.name):
            if _is_stored(named := _with_name(each, name)):
                return named
    return plan


def possible_plans(plan: Plan, sampler_given: bool) -> list[Plan]:
    """Return the plan, and those with the defaults of earlier versions.

    Args:
        plan: complete, of a sweep without a name from the user.
        sampler_given: whether the user chose the sampler.
    """
    plans = _with_samplers(plan, sampler_given)
    return [*plans, *(other for each in plans for other in each.with_other_engines())]


def journal_definitions(journal: Path) -> Iterator[tuple[str, Definition]]:
    """Yield name and definition of each study in a journal file; of none if it is no journal.

    The file is only read: its lines are Optuna's operations, of which 0 creates a study and 2 sets
    an attribute of one.
    """
    names: list[str] = []
    try:
        with journal.open("rb") as lines:
            for line in lines:
                if b'"study_name"' not in line and DEFINITION.encode() not in line:
                    continue
                operation = json.loads(line)
                if operation["op_code"] == 0:
                    names.append(operation["study_name"])
                elif operation["op_code"] == 2 and DEFINITION in operation["user_attr"]:
                    yield names[operation["study_id"]], operation["user_attr"][DEFINITION]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return


def _with_samplers(plan: Plan, sampler_given: bool) -> list[Plan]:
    left = plan.auto and not sampler_given
    return [plan, *(plan.with_sampler(each) for each in EARLIER_SAMPLERS if left)]


def _stored(plan: Plan) -> Definition | None:
    """Return the definition of the study of this name; None if there is none."""
    if plan.storage_server is not None:
        return stored_definition(plan)
    found = journal_definitions(plan.journal)
    return next((definition for name, definition in found if name == plan.name), None)


def _is_stored(plan: Plan) -> bool:
    """Return whether there is a study of this name with this sampler."""
    stored = _stored(plan)
    return stored is not None and stored.get("sampler") == plan.sampler.definition()


def _with_stored_engine(plan: Plan) -> Plan:
    """Return a plan whose name was given, with the engine of the study of that name."""
    stored = _stored(plan)
    if stored is None:
        return plan
    known = (plan, *plan.with_other_engines())
    same = (each for each in known if engine_in(each.definition()) == engine_in(stored))
    return next(same, plan)


def _with_name(plan: Plan, name: str) -> Plan:
    return replace(plan, settings=replace(plan.settings, name=name))
