"""The JSON object of a sweep: what its end reports, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.best_known import mean_ratio
from gdexp.sweeps.results.confirmed import confirmation_fields
from gdexp.sweeps.results.problem_table import problem_fields
from gdexp.sweeps.results.raced import race_fields
from gdexp.sweeps.results.seed_evidence import evidence_fields
from gdexp.sweeps.results.sweep_result import SweepResult, seeds_after_race
from gdexp.sweeps.results.terminal_messages import study_location
from gdexp.sweeps.results.tested import tested_fields
from gdexp.sweeps.results.threshold_table import ThresholdRow, cost_name
from gdexp.sweeps.study import TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from gdexp.tracking import Store


def sweep_answer(
    plan: Plan, result: SweepResult, store: Store, parent: str, ended: str
) -> dict[str, Any]:
    """Return the fields of the object; `gdexp/cli/json_fields.py` says what each means.

    Args:
        plan: of the sweep.
        result: what the sweep found.
        store: that holds the runs.
        parent: the run id of the sweep.
        ended: why the sweep ended before its last trial; empty where it did not.
    """
    best, nearest = result.best_trial, result.nearest_trial
    return {
        "run_id": parent,
        "tracking": plan.tracking.display_uri,
        "view": f"{store.ui_address()}/#{store.children_link(parent)}",
        **plan_fields(plan),
        "best": None if best is None else _trial(plan, *best),
        "nearest": None if nearest is None else _trial(plan, *nearest),
        "evidence": evidence_fields(result.evidence),
        "problems": problem_fields(result.problems),
        "mean_ratio": mean_ratio([each.ratio for each in result.problems]),
        "held_out": tested_fields(result.tested),
        "race": race_fields(result.race),
        "confirmation": confirmation_fields(result.confirmation),
        "finished": len(result.trials),
        "statuses": dict(result.counts),
        "steps": result.steps,
        "steps_saved": result.saved,
        "reused": result.reused,
        "importance": dict(result.importance),
        "thresholds": [_threshold(row) for row in result.thresholds],
        "front": [_trial(plan, *each) for each in result.front_trials],
        "ended": ended or None,
    }


def plan_fields(plan: Plan) -> dict[str, Any]:
    """Return what is known of a sweep before it runs."""
    return {
        "sweep": plan.name,
        "problem": plan.problem_name,
        "rule": plan.rule_name,
        "engine": None if plan.engine is None else plan.engine.name,
        "cost": cost_name(plan),
        "objectives": [each.name for each in plan.objectives],
        "space": {each.name: each.text() for each in plan.space.dimensions},
        "sampler": plan.sampler.name,
        "n_trials": plan.n_trials,
        "study": study_location(plan),
    }


def _trial(plan: Plan, trial: FrozenTrial, record: TrialRecord) -> dict[str, Any]:
    values = record.told(len(plan.objectives))
    names = [each.name for each in plan.objectives]
    return {
        "trial": trial.number,
        "run_id": record.run_id,
        "status": record.status,
        "iterations": record.iterations,
        "hitting_time": record.hitting_time,
        "final_loss": record.final_loss,
        "threshold": record.threshold,
        "parameters": plan.space.decoded(trial.params),
        "values": dict(zip(names, values, strict=True)),
        "repeat": plan.repeat_command(trial.params, seeds_after_race(plan, record)),
    }


def _threshold(row: ThresholdRow) -> dict[str, Any]:
    return {
        "threshold": row.threshold,
        "iterations": row.iterations,
        "cost": row.count,
        "at_least": row.at_least,
        "trial": row.trial,
        "run_id": row.run_id,
        "parameters": row.parameters,
        "reached": row.reached,
        "total": row.total,
        "at_start": row.at_start,
    }
