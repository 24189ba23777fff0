"""What MLflow holds of a sweep as a whole: its run, its saved view, its best trial's picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from gdexp.config import literal
from gdexp.descent import Result, Status
from gdexp.experiment import captured, pictures
from gdexp.runs import CHILDREN_TAG
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results.answers import Answers
from gdexp.sweeps.results.figures import sweep_pictures
from gdexp.sweeps.results.tables import description, front_csv, thresholds_csv, trials_csv
from gdexp.tracking import NOTE_TAG, Record, chart_views, config_yaml, run_display

if TYPE_CHECKING:
    from gdexp.tracking import Store


def sweep_params(plan: Plan) -> dict[str, str]:
    """The sweep's own settings as params of its run."""
    return {
        "sweep.name": plan.name,
        "sweep.sampler": plan.sampler.name,
        "sweep.objective": plan.settings.objective,
        "sweep.seeds": str(plan.settings.seeds),
        "sweep.cap": str(plan.settings.cap),
        **{f"sweep.space.{d.name}": d.text() for d in plan.space.dimensions},
    }


def begin(plan: Plan, store: Store, parent: str) -> None:
    """Show the sweep as going on, with a view that its trials can be watched in."""
    store.reopen(parent)
    if plan.tracking.best is not None:
        store.log_values(parent, Record(tags={CHILDREN_TAG: plan.tracking.children}))
    swept, _ = plan.space.axes()
    store.save_view(parent, swept, plan.name)


def end(plan: Plan, found: Answers, store: Store, parent: str) -> None:
    """Write the answers, the pictures and the view to the sweep's run, and finish it."""
    best = _best_result(plan, found, store)
    drawn = {} if best is None else _pictures(plan, found, best)
    if best is not None and found.best_trial is not None:
        picture = drawn.get("final.png", drawn.get("curve.png", b""))
        run_id = found.best_trial[1].run_id
        # Outside its manifest, which was sealed with the trial: a picture is no part of a record.
        store.log_files(run_id, run_display.image_artifacts(chart_views.PICTURE, picture))
        store.log_values(run_id, Record(tags={run_display.IMAGES_TAG: "True"}))
    swept, positive = plan.space.axes()
    store.save_view(parent, swept, plan.name, positive, _losses(found, best))
    store.finish(parent, _record(plan, found, store, parent, drawn))


def _record(
    plan: Plan, found: Answers, store: Store, parent: str, drawn: Mapping[str, bytes]
) -> Record:
    """What the sweep's own run holds at its end."""
    artifacts = {
        "config.yaml": config_yaml({**plan.base, "sweep": plan.definition()}),
        **captured(plan.base, engine=None),
        "trials.csv": trials_csv(found),
        "thresholds.csv": thresholds_csv(found),
        "front.csv": front_csv(found),
        **sweep_pictures(plan, found),
        **{f"best_{name}": picture for name, picture in drawn.items()},
    }
    metrics: dict[str, float] = {
        "trials": len(found.trials),
        "steps": found.steps,
        "steps_saved": found.saved,
    }
    tags = {
        "gdexp.status": "finished",
        NOTE_TAG: description(plan, found, store.children_link(parent)),
    }
    if found.interval is not None:
        metrics |= {"lr_low": found.interval.low, "lr_high": found.interval.high}
    if found.best_trial is not None:
        trial, record = found.best_trial
        metrics |= {
            "iterations": record.iterations,
            "hitting_time": record.hitting_time,
            "final_loss": record.final_loss,
        }
        tags |= {
            "gdexp.status": record.status,
            "gdexp.best_run": record.run_id,
            "gdexp.best_trial": str(trial.number),
            "gdexp.best_params": literal(dict(trial.params)),
        }
    return Record(metrics=metrics, tags=tags, artifacts=artifacts)


def _best_result(plan: Plan, found: Answers, store: Store) -> Result | None:
    """The best trial's result, from its record; None where it has several seeds."""
    if found.best_trial is None or plan.settings.seeds > 1:
        return None
    trial, record = found.best_trial
    experiment = plan.experiment(trial.params)
    arrays = store.arrays(record.run_id)
    return Result(
        status=Status(record.status),
        trace=arrays["trace"],
        initial=torch.from_numpy(arrays["initial"]),
        final=torch.from_numpy(arrays["final"]),
        rule=experiment.rule,
        stopping=experiment.stopping,
        f_star=experiment.problem.reference,
        problem=experiment.problem.name,
    )


def _pictures(plan: Plan, found: Answers, best: Result) -> Mapping[str, bytes]:
    """The pictures that a single run has, of the best trial."""
    if found.best_trial is None:
        return {}
    return pictures(plan.experiment(found.best_trial[0].params), best)


def _losses(found: Answers, best: Result | None) -> tuple[float, float] | None:
    """The losses worth drawing: from the start's to the smallest at any trial's end.

    What diverges would squeeze all other curves together.
    """
    if best is None or best.trace[0] <= 0 or not np.isfinite(best.trace[0]):
        return None
    start = float(best.trace[0])
    smallest = [r.final_loss for r in found.records if 0 < r.final_loss < start]
    return min([*smallest, start]) / 3, 10 * start
