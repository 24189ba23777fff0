"""Find the study of a sweep without a name in a folder that was moved.

Earlier versions made the name of such a study from the absolute path of the store, among others.
In another folder the name is another one, though the study is the same.
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gdexp.core import command_folder
from gdexp.sweeps.comparable_definition import comparable
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import DEFINITION, PARENT
from gdexp.sweeps.study.earlier_studies import possible_plans
from gdexp.tracking import holds_run

TAIL = re.compile(r"[0-9a-f]{8}")
"""The end of a name that was made automatically."""


def continue_moved_study(plan: Plan, sampler_given: bool = False) -> Plan:
    """Return the plan with name, sampler and engine of its study in a moved folder.

    That is a study with the same definition, whose run is in the plan's store.

    Args:
        plan: of a sweep without a name from the user, and with a name made automatically.
        sampler_given: whether the user chose the sampler; else it may be an earlier default.
    """
    database = plan.tracking.database
    if database is None or plan.storage_server is not None or not database.exists():
        return plan
    start = plan.name[:-8]
    given = plan.settings.storage
    if given is None:
        pattern = f"{glob.escape(start)}*/study.journal"
        journals = sorted(Path(command_folder(), "sweeps").glob(pattern))
    else:
        journals = [plan.journal]
    studies = [each for journal in journals for each in _studies(journal, given is None)]
    if plan.name in (name for name, _ in studies):
        return plan
    automatic = [
        (name, attributes)
        for name, attributes in studies
        if name.startswith(start) and TAIL.fullmatch(name[len(start) :])
    ]
    for each in possible_plans(plan, sampler_given) if automatic else ():
        for name, attributes in automatic:
            same = comparable(attributes.get(DEFINITION, {})) == each.definition()
            if same and holds_run(database, str(attributes.get(PARENT))):
                return replace(each, settings=replace(each.settings, name=name))
    return plan


def _studies(journal: Path, single: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield name and attributes of the studies in a journal file.

    Args:
        journal: the file; one that cannot be read holds no study.
        single: whether it holds one study. Then its trials, which come last, are not read.
    """
    names: list[str] = []
    attributes: list[dict[str, Any]] = []
    try:
        with journal.open(encoding="utf-8") as file:
            for line in file:
                if '"study_name"' in line:
                    names.append(str(json.loads(line)["study_name"]))
                    attributes.append({})
                elif '"user_attr"' in line and '"study_id"' in line:
                    change = json.loads(line)
                    attributes[change["study_id"]].update(change["user_attr"])
                elif single:
                    break
    except (OSError, ValueError, LookupError, TypeError):
        return
    yield from zip(names, attributes, strict=True)
