"""A worker from its config: it opens the study and the store, then works until the end."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.core import BadInput
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import Space
from gdexp.sweeps.study import BASE, DEFINITION, PARENT, load_study
from gdexp.sweeps.worker.worker import Worker
from gdexp.tracking import Store, TrackingSettings

if TYPE_CHECKING:
    from gdexp.sweeps.study import Place


def work(composed: Mapping[str, Any], among: Place | None = None) -> None:
    """Make trials until the study has as many finished ones as it is to end with.

    Args:
        composed: the worker's config; `sweep.name`, `storage`, `n_trials` and `sampler` are
            filled in by the driver, which also created and holds the study.
        among: other workers, and where they are; None: this is the only one, in the driver's
            own process.
    """
    settings = config.construct("sweep", SweepSettings, composed["sweep"])
    tracking = config.construct("tracking", TrackingSettings, composed["tracking"])
    if settings.name is None or settings.storage is None:
        raise BadInput("hydra/sweeper", "", "must be gdexp: another one cannot run this sweep")
    study = load_study(settings)
    definition = study.user_attrs[DEFINITION]
    plan = Plan(
        base=study.user_attrs[BASE],
        space=Space.from_definition(definition["space"], definition["files"]),
        settings=settings,
        tracking=tracking,
    )
    store = _store(tracking, str(study.user_attrs[PARENT]))
    if among is None:
        Worker(plan, study, store).run()
    else:
        from gdexp.sweeps.worker.shared_worker import SharingWorker

        SharingWorker(plan, study, store, among).run()


def _store(tracking: TrackingSettings, parent: str) -> Store:
    """The store that holds the sweep's own run.

    Raises:
        BadInput: there is none: a worker on another machine sees another file system.
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
