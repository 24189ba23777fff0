"""Studies of version 0.1.0 whose spaces list equal values: they go on with each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study.attributes import DEFINITION


def with_stored_values(plan: Plan) -> Plan:
    """Return the plan with equal values listed, if the study that it continues was made so."""
    written = plan.written
    if written is None:
        return plan
    wanted = json.loads(json.dumps(written.space.definition()))
    return written if any(each["space"] == wanted for each in _definitions(written)) else plan


def _definitions(plan: Plan) -> Iterator[Mapping[str, Any]]:
    """Yield the definitions in the journal of a plan's study; none if it cannot be read."""
    if plan.storage_server is not None or not plan.journal.is_file():
        return
    try:
        with plan.journal.open("rb") as lines:
            for line in lines:
                if DEFINITION.encode() in line:
                    yield json.loads(line)["user_attr"][DEFINITION]
    except (OSError, ValueError, KeyError, TypeError):
        return
