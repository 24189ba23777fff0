"""`optimization_results.yaml`, as hydra-optuna-sweeper writes it, with each trial's folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from gdexp.core import StorageFailed, command_folder, failure_reason
from gdexp.sweeper.job_plan import JobPlan
from gdexp.sweeps import SweepResult, TrialRecord

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

NAME = "optimization_results.yaml"


def write_results_file(plan: JobPlan, result: SweepResult) -> None:
    """Write the best trial, or with several objectives the front, into the folder of the jobs.

    Nothing is written where no trial has what is looked for.

    Raises:
        StorageFailed: the file cannot be written.
    """
    if result.best_trial is None:
        return
    found: dict[str, Any] = {"name": "optuna"}
    if plan.several:
        found["solutions"] = [_solution(plan, *each) for each in result.front_trials]
    else:
        trial, record = result.best_trial
        found["best_params"] = _parameters(plan, trial)
        found["best_value"] = record.told(1)[0]
        found |= _place(plan, trial)
    path = command_folder() / plan.jobs.folder / NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_name(f".{NAME}.new")
        written.write_text(OmegaConf.to_yaml(OmegaConf.create(found)), encoding="utf-8")
        written.replace(path)
    except OSError as error:
        raise StorageFailed(f"{path}: {failure_reason(error)}") from error


def _solution(plan: JobPlan, trial: FrozenTrial, record: TrialRecord) -> dict[str, Any]:
    values = list(record.told(len(plan.objectives)))
    return {"params": _parameters(plan, trial), "values": values, **_place(plan, trial)}


def _parameters(plan: JobPlan, trial: FrozenTrial) -> Mapping[str, Any]:
    return plan.space.decoded(trial.params)


def _place(plan: JobPlan, trial: FrozenTrial) -> dict[str, Any]:
    folder = plan.folder(trial)
    return {"trial": trial.number, **({} if folder is None else {"folder": folder})}
