"""Open a sweep: its study, its store, and its own run in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdexp.core import BadInput, StorageChanged, signals
from gdexp.display import terminal
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results import sweep_params, terminal_messages
from gdexp.sweeps.study import (
    NONDETERMINISTIC,
    PARENT,
    TOKEN,
    StudyCode,
    check_added_trials,
    find_sweep_run,
    open_study,
    wait_for_other_workers,
)
from gdexp.tracking import NoStore, Record, RunHeader, Store, params

if TYPE_CHECKING:
    from optuna import Study


@dataclass
class OpenedSweep:
    """The parts of a sweep that are open, and must be left in order if it ends early.

    Attributes:
        study: None before it is open.
        runs: the store, and the id of the sweep's own run in it; None before that run exists.
        code_note: what is to be said of the user's own code, if anything is.
    """

    study: Study | None = None
    runs: tuple[Store, str] | None = None
    code_note: str | None = None


def open_sweep(plan: Plan, opened: OpenedSweep, differs: bool = False) -> tuple[Study, Store, str]:
    """Create or continue the study, the store, and the sweep's own run in it.

    Args:
        plan: of the sweep; this process holds the lock of its study.
        opened: is filled as each part is opened.
        differs: whether the problem gives different losses for the same settings.

    Returns:
        The study, the store, and the id of the sweep's own run.

    Raises:
        BadInput: the study was made for something else or with other code, or its runs are in
            another store.
    """
    # An existing study is checked first: if it is refused, nothing has been written.
    exists = plan.storage_server is not None or plan.journal.exists()
    known = open_study(plan) if exists else None
    if known is not None:
        wait_for_other_workers(known, plan.name)
        check_added_trials(known, plan)
        _check_store(plan, known)
        opened.code_note = StudyCode(known, plan).begin()
    store = Store(plan.tracking) if plan.tracks else NoStore()
    if store.warning:
        terminal.print_warning(store.warning)
    study = opened.study = known if known is not None else open_study(plan)
    if known is None:
        StudyCode(study, plan).begin()
    if bool(study.user_attrs.get(NONDETERMINISTIC)) != differs:
        study.set_user_attr(NONDETERMINISTIC, differs)
    with signals.shielded():  # no run may exist that the cleanup does not know
        parent = _sweep_run(plan, study, store)
        opened.runs = store, parent
    return study, store, parent


def _sweep_run(plan: Plan, study: Study, store: Store) -> str:
    """Return the id of the sweep's own run, from the study or of a new run."""
    known = study.user_attrs.get(PARENT)
    if known is not None:
        if not store.has_run(str(known)):
            raise _wrong_store(plan)
        if (reason := store.missing_reason(str(known))) is not None:
            raise BadInput("sweep.name", plan.name, f"{reason}, or give another sweep.name")
        return str(known)
    token, run_id = find_sweep_run(study, store)
    if run_id is None:
        tags = {"gdexp.study": plan.name, TOKEN: token}
        run_id = store.start(RunHeader(name=plan.name, kind="sweep", tags=tags))
    fixed = params(plan.definition()["config"])
    store.log_values(run_id, Record(params={**fixed, **sweep_params(plan)}))
    study.set_user_attr(PARENT, run_id)
    return run_id


def check_sweep_run(plan: Plan, store: Store, parent: str) -> None:
    """Check that the sweep's own run is still there.

    Raises:
        StorageChanged: it was deleted while the sweep ran.
    """
    reason = store.missing_reason(parent)
    if reason is None:
        return
    if "restores" in reason:
        remedy = "then the same command continues"
    else:
        remedy = f"its trials are in {terminal_messages.study_location(plan)} alone"
    raise StorageChanged(f"sweep.name={plan.name}: {reason}; {remedy}")


def _check_store(plan: Plan, study: Study) -> None:
    """Refuse a study whose runs are in another store, before an empty store is made."""
    database = plan.tracking.database
    if (
        plan.tracks
        and PARENT in study.user_attrs
        and database is not None
        and not database.exists()
    ):
        raise _wrong_store(plan)


def _wrong_store(plan: Plan) -> BadInput:
    return BadInput(
        "tracking.uri",
        plan.tracking.display_uri,
        f"does not hold the runs of study {plan.name}; name the store that does, or remove "
        f"{terminal_messages.study_location(plan)}, or give another sweep.name",
    )
