"""The JSON object of a single run, new or gone on with."""

from __future__ import annotations

from typing import Any

from gdexp.config import outcome, shortest_command
from gdexp.core import mask_value
from gdexp.descent import Result, outcome_text
from gdexp.experiment import Experiment
from gdexp.tracking import Store


def run_answer(experiment: Experiment, result: Result, run_id: str, store: Store) -> dict[str, Any]:
    """Return the fields of the object; `gdexp/cli/json_fields.py` says what each means.

    Args:
        experiment: the experiment.
        result: its result.
        run_id: the id of its run.
        store: the store of the run.
    """
    return {
        "run_id": run_id,
        "tracking": store.settings.display_uri,
        "view": f"{store.ui_address()}/#{store.run_link(run_id)}",
        "status": str(result.status),
        "reason": outcome_text(result),
        "iterations": result.iterations,
        "hitting_time": result.hitting_time,
        "projected": not result.converged,
        "final_loss": result.final_loss,
        "f_star": result.f_star,
        "metrics": experiment.recorded(result).metrics,
        "engine": result.engine,
        "engine_reason": experiment.engine_reason,
        "signature": experiment.signature,
        "config": mask_value("", outcome(experiment.config)),
        "repeat": shortest_command(experiment.config),
    }
