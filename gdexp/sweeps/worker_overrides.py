"""The overrides that a worker composes its config from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gdexp import config
from gdexp.config import literal
from gdexp.sweeps.plan import Plan

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def worker_overrides(plan: Plan, given: Sequence[Override]) -> list[str]:
    """Return the overrides of a worker's config; what is swept is stored in the study instead.

    Args:
        plan: of the sweep.
        given: the overrides of the command line.
    """
    filled = {
        "sweep.name": plan.name,
        "sweep.storage": plan.storage_server or str(plan.journal),
        "sweep.n_trials": plan.n_trials,
        "sweep.sampler": plan.sampler.definition(),
        "sweep.direction": _plain(plan.settings.direction),
        # An absolute address: the worker may run in another folder.
        "tracking.uri": plan.tracking.mlflow_uri,
    }
    dropped = (*filled, *(f"{key}{end}" for key in config.OUTCOME_KEYS for end in (".", "/")))
    kept = [
        str(o.input_line)
        for o in given
        if not o.is_sweep_override()
        and not _key(o).startswith(dropped)
        and _key(o) not in config.OUTCOME_KEYS
    ]
    return [*kept, *(f"++{key}={literal(value)}" for key, value in filled.items())]


def _plain(value: object) -> object:
    """Return a sequence as a list."""
    return list(value) if isinstance(value, tuple) else value


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+~")
