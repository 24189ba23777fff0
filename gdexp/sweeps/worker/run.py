"""The start of a worker: its config is read, and the study and the store are opened."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.core import BadInput
from gdexp.experiment import CheckpointSettings
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import ListedProblem
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import Space
from gdexp.sweeps.study import BASE, DEFINITION, PARENT, StudyCode, load_study
from gdexp.sweeps.study_engine import ENGINE, StudyEngine, engine_in
from gdexp.sweeps.worker.worker import Worker
from gdexp.tracking import NoStore, Store, TrackingSettings

if TYPE_CHECKING:
    from optuna import Study

    from gdexp.sweeps.study import StartedBy


def run_worker(composed: Mapping[str, Any], started_by: StartedBy | None = None) -> None:
    """Run a worker until the sweep ends.

    Args:
        composed: the worker's config. The driver has filled in `sweep.name`, `storage`,
            `n_trials` and `sampler`, and holds the study.
        started_by: what started this worker among others; None: it is the only worker, in the
            driver's own process.

    Raises:
        BadInput: the user's code or data on this machine is not that of the study.
    """
    settings = config.construct("sweep", SweepSettings, composed["sweep"])
    tracking = config.construct("tracking", TrackingSettings, composed["tracking"])
    if settings.name is None or settings.storage is None:
        raise BadInput("hydra/sweeper", "", "must be gdexp: another one cannot run this sweep")
    study = load_study(settings)
    definition = study.user_attrs[DEFINITION]
    space = Space.from_definition(definition["space"], definition["files"])
    plan = Plan(
        base=study.user_attrs[BASE],
        space=space,
        settings=settings,
        tracking=tracking,
        engine=None if ENGINE in space.keys else StudyEngine(engine_in(definition)),
        checkpoint=CheckpointSettings.of(composed),
        problems=tuple(ListedProblem(*each) for each in definition.get("problems", ())),
    )
    run_planned_worker(plan, study, started_by)


def run_planned_worker(plan: Plan, study: Study, started_by: StartedBy | None) -> None:
    """Run a worker of a plan until the sweep ends.

    Args:
        plan: of the sweep.
        study: that the driver opened.
        started_by: as of `run_worker`.

    Raises:
        BadInput: the user's code or data on this machine is not that of the study.
    """
    if started_by is not None and plan.user_codes():
        plan.examples()  # this process has loaded none of the user's code yet
        StudyCode(study, plan).check()
    parent = str(study.user_attrs[PARENT])
    store = _open_store(plan.tracking, parent) if plan.tracks else NoStore()
    if started_by is None:
        Worker(plan, study, store).run()
    else:
        from gdexp.sweeps.worker.shared_worker import SharedStudyWorker

        SharedStudyWorker(plan, study, store, started_by).run()


def _open_store(tracking: TrackingSettings, parent: str) -> Store:
    """Open the store that holds the sweep's own run.

    Raises:
        BadInput: the run is not there: a worker on another machine may see another file system.
    """
    database = tracking.database
    if database is None or database.exists():
        store = Store(tracking)
        if store.has_run(parent):
            return store
    raise BadInput(
        "tracking.uri",
        tracking.display_uri,
        f"does not hold this sweep as seen from {socket.gethostname()}; workers on several "
        "machines need a shared folder, or a server's address",
    )
