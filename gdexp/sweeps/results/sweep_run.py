"""The MLflow run of a sweep: its params, artifacts and metrics, and the saved chart view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gdexp.config import literal
from gdexp.descent import EVALUATIONS, LOSS, SECONDS, Result, Status
from gdexp.experiment import pictures, provenance_files
from gdexp.runs import ASCENDING, BEST_FIRST_TAG, CHILDREN_TAG, DESCENDING
from gdexp.sweeps.goal import objective_name
from gdexp.sweeps.objective import BEST, COUNTED, HITTING_TIME, LAST, RETURNED
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.pruning import NONE
from gdexp.sweeps.results.best_known import mean_ratio
from gdexp.sweeps.results.figures import sweep_pictures
from gdexp.sweeps.results.mlflow_description import description
from gdexp.sweeps.results.problem_table import problems_csv
from gdexp.sweeps.results.raced import race_csv
from gdexp.sweeps.results.seed_evidence import evidence_csv
from gdexp.sweeps.results.sweep_result import SweepResult
from gdexp.sweeps.results.tested import tested_csv
from gdexp.sweeps.results.threshold_picture import thresholds_png
from gdexp.sweeps.results.threshold_table import thresholds_csv
from gdexp.sweeps.results.trials_table import trials_csv
from gdexp.sweeps.study import TrialRecord
from gdexp.tracking import NOTE_TAG, Record, SweepView, chart_views, config_yaml, run_display

if TYPE_CHECKING:
    from gdexp.tracking import Store

PARENT_TAG = "mlflow.parentRunId"

MOST_TRIALS, LAST_DRAWN = 0.75, 1.5
"""The linear chart of losses ends at so many times the iterations of that share of the trials."""


def sweep_params(plan: Plan) -> dict[str, str]:
    """Return the settings of the sweep as params of its run."""
    goal = plan.settings.continue_to
    return {
        "sweep.name": plan.name,
        "sweep.sampler": plan.sampler.name,
        "sweep.objective": objective_name(plan),
        **({} if plan.pruner.name == NONE else {"sweep.pruner": plan.pruner.name}),
        "sweep.seeds": str(plan.settings.seeds),
        **({"sweep.problems": ", ".join(e.name for e in plan.problems)} if plan.problems else {}),
        **({"sweep.race": "true"} if plan.settings.race else {}),
        "sweep.cap": str(plan.settings.cap),
        **({} if goal is None else {"sweep.continue_to": str(goal)}),
        **{f"sweep.space.{d.name}": d.text() for d in plan.space.dimensions},
    }


def start_sweep_run(plan: Plan, store: Store, parent: str) -> None:
    """Set the run to running, and save a view in which the trials can be watched."""
    store.reopen(parent)
    order, largest = _best_first(plan)
    tags = {} if plan.tracking.best is None else {CHILDREN_TAG: plan.tracking.children}
    if plan.tells_failures and order != chart_views.BEST_FIRST:
        tags |= {BEST_FIRST_TAG: f"{order} {DESCENDING if largest else ASCENDING}"}
    if tags:
        store.log_values(parent, Record(tags=tags))
    swept, _ = plan.space.axes()
    view = SweepView(
        plan.name, swept, metrics=_metrics(plan), best_first=order, largest_first=largest
    )
    store.save_view(parent, view)


def finish_sweep_run(plan: Plan, result: SweepResult, store: Store, parent: str) -> None:
    """Write the result, the pictures and the view to the sweep's run, and finish it."""
    best = _best_result(plan, result, store)
    drawn = {} if best is None else _pictures(plan, result, best)
    shown = _show_pictures(plan, result, store, parent, drawn)
    swept, positive = plan.space.axes()
    order, largest = _best_first(plan)
    view = SweepView(
        plan.name,
        swept,
        positive,
        _losses(result, best),
        _last_drawn(result),
        _metrics(plan),
        shown,
        order,
        largest,
    )
    store.save_view(parent, view)
    store.finish(parent, _record(plan, result, store, parent, drawn))


def _show_pictures(
    plan: Plan, result: SweepResult, store: Store, parent: str, drawn: Mapping[str, bytes]
) -> dict[str, int]:
    """Give the trial that comes first in MLflow's list the pictures of the chart view's cards.

    They are not in its manifest, which was written with the trial: a picture is not part of a
    record. A card shows the pictures of all trials that have some, so a trial that came first
    when the sweep had fewer trials shows none from now on.

    Returns:
        The place of each picture on its card's slider, by key.
    """
    first = result.best_trial or result.nearest_trial
    if first is None or store.missing_reason(first[1].run_id) is not None:
        return {}
    run_id, number = first[1].run_id, len(result.trials)
    pictures: dict[str, bytes] = {}
    steps: dict[str, int] = {}
    if any(row.reached for row in result.thresholds):
        steps[chart_views.THRESHOLDS] = number
        pictures |= run_display.image_artifacts(
            chart_views.THRESHOLDS, thresholds_png(plan, result.thresholds), number
        )
    final = drawn.get("final.png", drawn.get("curve.png"))
    if final is not None:
        steps[chart_views.PICTURE] = 0
        pictures |= run_display.image_artifacts(chart_views.PICTURE, final)
    if pictures:
        for run in store.search({PARENT_TAG: parent, run_display.IMAGES_TAG: "True"}):
            if run.run_id != run_id:
                store.log_values(run.run_id, Record(tags={run_display.IMAGES_TAG: ""}))
        store.log_files(run_id, pictures)
        store.log_values(run_id, Record(tags={run_display.IMAGES_TAG: "True"}))
    return steps


def _best_first(plan: Plan) -> tuple[str, bool]:
    """Return the metric that sorts the trials in MLflow's list, and whether its largest is best."""
    first = plan.objectives[0]
    side = "max" if first.maximize else "min"
    names = {
        (BEST, LOSS): f"{side}_loss",
        (BEST, first.metric): f"{side}/{first.metric}",
        (LAST, LOSS): "final_loss",
        (LAST, first.metric): f"last/{first.metric}",
    }
    if first.kind == RETURNED:
        return first.name, first.maximize
    if first.kind == SECONDS:
        return "hitting_seconds", False
    if first.kind in COUNTED:
        return {EVALUATIONS: "loss_evaluations"}.get(first.kind, "gradient_evaluations"), False
    return names.get((first.kind, first.metric), chart_views.BEST_FIRST), first.maximize


def _last_drawn(result: SweepResult) -> float | None:
    """Return the last iteration of the linear chart: that of most trials; None where all fit.

    One trial with a small learning rate makes a thousand times the iterations of the best, and
    all other curves would be one line at the left.
    """
    counts = [record.iterations for record in result.records if record.can_win]
    if not counts:
        return None
    usual = max(10.0, LAST_DRAWN * float(np.quantile(counts, MOST_TRIALS)))
    return usual if usual < max(record.iterations for record in result.records) else None


def _metrics(plan: Plan) -> list[str]:
    """Return the metrics that decide the sweep, but for the loss, whose curve is always shown."""
    asked = [str(plan.base["stopping"].get("metric", LOSS)), *(o.metric for o in plan.objectives)]
    return [name for name in dict.fromkeys(asked) if name != LOSS]


def _record(
    plan: Plan, result: SweepResult, store: Store, parent: str, drawn: Mapping[str, bytes]
) -> Record:
    """Return what the sweep's run holds at its end."""
    confirmed = None if result.confirmation is None else result.confirmation.evidence
    keys = result.keys
    base = plan.recorded_config(plan.base)
    artifacts = {
        "config.yaml": config_yaml({**base, "sweep": plan.definition()}),
        **provenance_files(base, grouping=None),
        "trials.csv": trials_csv(
            zip(result.trials, result.records, strict=True),
            keys,
            result.added,
            plan.told_objectives,
        ),
        "thresholds.csv": thresholds_csv(plan, result.thresholds),
        "front.csv": trials_csv(result.front_trials, keys, objectives=plan.told_objectives),
        **evidence_csv("evidence.csv", result.evidence),
        **problems_csv(
            "problems.csv",
            plan,
            zip(result.trials, result.records, strict=True),
            result.problems,
        ),
        **tested_csv("held_out.csv", result.tested),
        **race_csv("race.csv", result.race),
        **evidence_csv("confirmation.csv", confirmed),
        **sweep_pictures(plan, result),
        **{f"best_{name}": picture for name, picture in drawn.items()},
    }
    metrics: dict[str, float] = {
        "trials": len(result.trials),
        "steps": result.steps,
        "steps_saved": result.saved,
    }
    tags = {
        "gdexp.status": _ending(plan, result),
        NOTE_TAG: description(plan, result, store.children_link(parent)),
    }
    if result.best_trial is not None:
        trial, record = result.best_trial
        metrics |= {
            "iterations": record.iterations,
            "hitting_time": record.hitting_time,
            "final_loss": record.final_loss,
            **told_metrics(plan, record),
        }
        ratio = mean_ratio([each.ratio for each in result.problems])
        metrics |= {} if ratio is None else {"mean_ratio": ratio}
        tags |= {
            "gdexp.status": record.status,
            "gdexp.best_run": record.run_id,
            "gdexp.best_trial": str(trial.number),
            "gdexp.best_params": literal(dict(trial.params)),
        }
    return Record(metrics=metrics, tags=tags, artifacts=artifacts)


def _ending(plan: Plan, result: SweepResult) -> str:
    """Return the status of a sweep without a best trial."""
    if result.best is not None or not plan.counts_iterations:
        return "finished"
    return "none converged"


def told_metrics(plan: Plan, record: TrialRecord) -> dict[str, float]:
    """Return the values of the objectives of a trial, where hitting times are not the only ones."""
    told = record.told(len(plan.objectives))
    pairs = zip(plan.objectives, told, strict=True) if plan.told_objectives else ()
    return {each.name: value for each, value in pairs if each.kind != HITTING_TIME}


def _best_result(plan: Plan, result: SweepResult, store: Store) -> Result | None:
    """Return the result of the best trial from its record; None if it has several seeds.

    Nor has another application's, whose run may be one that it started itself.
    """
    if result.best_trial is None or plan.descents > 1 or plan.tells_failures:
        return None
    trial, record = result.best_trial
    if store.missing_reason(record.run_id) is not None:
        return None
    experiment = plan.experiment(trial.params)
    status = Status(record.status)
    return experiment.stored_result(status, store.stored_files(record.run_id))


def _pictures(plan: Plan, result: SweepResult, best: Result) -> Mapping[str, bytes]:
    """Return the pictures of the best trial, the same as those of a single run."""
    if result.best_trial is None:
        return {}
    return pictures(plan.experiment(result.best_trial[0].params), best)


def _losses(result: SweepResult, best: Result | None) -> tuple[float, float] | None:
    """Return the range of losses to draw: from the smallest at any trial's end to the start's.

    A curve that diverges would squeeze all other curves together.
    """
    if best is None or not best.trace.size or best.trace[0] <= 0 or not np.isfinite(best.trace[0]):
        return None
    start = float(best.trace[0])
    smallest = [r.final_loss for r in result.records if 0 < r.final_loss < start]
    return min([*smallest, start]) / 3, 10 * start
