"""A worker: asks, descends, records, tells, until the study has its trials."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp import config, interrupts, terminal
from gdexp.commands.run import title
from gdexp.errors import BadInput
from gdexp.stopping import Status, first_hits
from gdexp.sweep.answers import THRESHOLDS
from gdexp.sweep.cap import Cap
from gdexp.sweep.plan import Plan
from gdexp.sweep.progress import Progress
from gdexp.sweep.samplers import GRID
from gdexp.sweep.settings import SweepSettings
from gdexp.sweep.space import Space
from gdexp.sweep.study import (
    BASE,
    DEFINITION,
    PARENT,
    RECORD,
    TrialRecord,
    finished,
    load_study,
)
from gdexp.tracking import Opening, Store, TrackingSettings, descent_record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

    from gdexp.result import Result


def work(composed: Mapping[str, Any]) -> None:
    """Make trials until the study has as many finished ones as it is to end with.

    Args:
        composed: the worker's config; `sweep.name`, `storage`, `n_trials` and `sampler` are
            filled in by the driver, which also created and holds the study.
    """
    settings = config.construct("sweep", SweepSettings, composed["sweep"])
    tracking = config.construct("tracking", TrackingSettings, composed["tracking"])
    if settings.name is None or settings.storage is None:
        raise BadInput("hydra/sweeper", "", "must be gdexp: another one cannot run this sweep")
    study = load_study(settings)
    plan = Plan(
        base=study.user_attrs[BASE],
        space=Space.from_definition(study.user_attrs[DEFINITION]["space"]),
        settings=settings,
        tracking=tracking,
    )
    store = Store(tracking)
    parent = str(study.user_attrs[PARENT])
    done = finished(study)
    with Progress(terminal.console(), plan.n_trials) as progress:
        cap = Cap(settings.cap)
        for earlier in done:
            record = TrialRecord.of(earlier)
            progress.add(record, earlier.value)
            _count(cap, record)
        for ordinal in range(len(done), plan.n_trials):
            interrupts.check()
            trial = _ask(study, plan, ordinal)
            record, value = _descend(plan, trial, store, parent, cap)
            study.tell(trial, value)
            _count(cap, record)
            progress.add(record, value)


def _ask(study: Study, plan: Plan, ordinal: int) -> Trial:
    """The next trial: a queued one if there is any, else what the sampler chooses."""
    from optuna.trial import TrialState

    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if plan.sampler.name == GRID and not waiting:
        point = plan.space.point(ordinal)
        study.enqueue_trial({d.key: d.encoded(point[d.key]) for d in plan.space.dimensions})
    study.sampler = plan.sampler.for_trial(int(plan.base["seed"]), ordinal)
    return study.ask(plan.space.distributions())


def _count(cap: Cap, record: TrialRecord) -> None:
    if record.status == Status.CONVERGED:
        cap.add(record.threshold, record.iterations)


def _descend(
    plan: Plan, trial: Trial, store: Store, parent: str, cap: Cap
) -> tuple[TrialRecord, float]:
    """One trial's child run, whole; the study is told by the caller, last."""
    experiment = plan.experiment(trial.params)
    experiment = experiment.capped(cap.limit(experiment.stopping.threshold))
    opening = Opening(
        name=f"{trial.number:04d} {title(experiment)}",
        kind="trial",
        parent=parent,
        tags={"gdexp.trial": str(trial.number), "gdexp.study": plan.name},
    )
    run_id = store.start(opening)
    try:
        result = experiment.run(watch=_listen)
        record = TrialRecord(
            run_id=run_id,
            status=str(result.status),
            iterations=result.iterations,
            final_loss=result.final_loss,
            threshold=result.threshold,
            saved=_saved(result),
            hits=tuple(first_hits(result.trace, THRESHOLDS, result.f_star)),
        )
        # Before FINISHED: a finished child always has its record, whatever happens between.
        trial.set_user_attr(RECORD, record.as_attribute())
        store.finish(run_id, descent_record(experiment, result))
    except Exception:
        store.abandon(run_id, "FAILED")
        raise
    return record, result.hitting_time


def _listen(iteration: int, trace: array[float]) -> int:
    """End a long descent when a signal asked for it but was swallowed."""
    interrupts.check()
    return iteration + terminal.LISTEN_EVERY


def _saved(result: Result) -> float:
    """Iterations between the cap and where the descent was going, or its limit."""
    if result.status is not Status.CAPPED:
        return 0.0
    return min(result.hitting_time, result.stopping.max_iterations) - result.iterations
