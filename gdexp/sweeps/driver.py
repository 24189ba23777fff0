"""The sweep from outside: plan it, launch the workers, say what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gdexp import config
from gdexp.config import literal
from gdexp.core import BadInput, GdexpError, gc_control, signals
from gdexp.display import terminal
from gdexp.sweeps.cleanup import OpenedSweep, cleanup_on_error
from gdexp.sweeps.launchers import LocalWorkers, WorkerLauncher, Workers, threads_per_worker
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.preview import preview
from gdexp.sweeps.results import (
    SweepResult,
    create_trial_runs,
    finish_sweep_run,
    print_result,
    start_sweep_run,
    sweep_params,
    terminal_messages,
)
from gdexp.sweeps.settings import cores
from gdexp.sweeps.space import compose_space
from gdexp.sweeps.study import (
    PARENT,
    TOKEN,
    TrialRecord,
    check_no_password,
    check_storage,
    completed_trials,
    find_sweep_run,
    open_study,
    recover_trials,
    study_lock,
    wait_for_other_workers,
)
from gdexp.sweeps.supervisor import supervise
from gdexp.tracking import Opening, Record, Store, params

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from omegaconf import DictConfig
    from optuna import Study

Compose = Callable[[list[str]], "DictConfig"]
Launch = Callable[[list[list[str]]], None]


def run_sweep(
    arguments: list[str], compose: Compose, launch: Launch, launcher: WorkerLauncher | None
) -> None:
    """Run a sweep to its last trial.

    Args:
        arguments: every override of the command line, ranges included.
        compose: overrides without ranges to a config.
        launch: runs the task function once for each list of overrides, in this process.
        launcher: starts the workers through another Hydra launcher; None: on this machine.

    Raises:
        BadInput: before anything is written.
        StorageFailed, StudyHeld: see there.
    """
    given = config.parse_overrides(arguments)

    def composed(lines: list[str]) -> config.Config:
        made = config.plain(_without_hydra(compose(lines)))
        config.check_keys(made)
        return made

    base, space = compose_space(given, composed)
    plan = Plan.build(base, space)
    out = terminal.console()
    if plan.settings.preview:
        preview(out, plan)
        return
    if launcher is not None:
        launcher.check()
        check_no_password(plan)
    plan.tracking.preflight()
    check_storage(plan)

    terminal_messages.print_plan(out, plan)
    with study_lock(plan) as lock, cleanup_on_error(out, plan) as opened:
        study, store, parent = _open(plan, opened)
        again = recover_trials(study, store, parent, plan.space)
        done = len(completed_trials(study))
        terminal_messages.print_resumed(out, plan, done, again)
        start_sweep_run(plan, store, parent)
        began = time.monotonic()
        failed = None
        gc_control.begin()
        if _end_reason(plan, study) is None:
            lines, count = _worker_overrides(plan, given), plan.settings.worker_count
            if launcher is None and count == 1:
                failed = _run_here(launch, lines)
            else:
                workers: Workers
                if launcher is None:
                    workers = LocalWorkers(
                        composed(lines), count, threads_per_worker(count, cores()), lock
                    )
                else:
                    workers = launcher.start(lines, count, study.set_user_attr)
                supervise(out, plan, study, store, parent, workers)
                failed = workers.failure()
        ended = _ended(plan, study, time.monotonic() - began, failed)
        result = create_trial_runs(plan, SweepResult.from_study(study, plan), store, parent)
        finish_sweep_run(plan, result, store, parent)
        print_result(out, plan, result, store, parent)
        if ended:
            out.print(f"\n{ended}")


def _run_here(launch: Launch, lines: list[str]) -> Exception | None:
    """Run the only worker in this process; return the error that it ended with."""
    try:
        launch([lines])
    except Exception as error:
        return error
    return None


def _open(plan: Plan, opened: OpenedSweep) -> tuple[Study, Store, str]:
    """The study, the store, and the sweep's run in it, each new or continued.

    Args:
        plan: of the sweep, whose study is held.
        opened: what there is to be put in order from here on.
    """
    # A study that is there is looked at first: it may refuse, and then nothing is written.
    there = plan.storage_server is not None or plan.journal.exists()
    known = open_study(plan) if there else None
    if known is not None:
        wait_for_other_workers(known, plan.name)
        _check_store(plan, known)
    store = Store(plan.tracking)
    study = opened.study = known if known is not None else open_study(plan)
    with signals.shielded():  # whoever knows of the sweep's run can also end it
        parent = _parent(plan, study, store)
        opened.runs = store, parent
    return study, store, parent


def _parent(plan: Plan, study: Study, store: Store) -> str:
    """The sweep's own run, created with the study and remembered in it."""
    known = study.user_attrs.get(PARENT)
    if known is not None:
        if not store.has(str(known)):
            raise _wrong_store(plan)
        return str(known)
    token, run_id = find_sweep_run(study, store)
    if run_id is None:
        tags = {"gdexp.study": plan.name, TOKEN: token}
        run_id = store.start(Opening(name=plan.name, kind="sweep", tags=tags))
    fixed = params(plan.definition()["config"])
    store.log_values(run_id, Record(params={**fixed, **sweep_params(plan)}))
    study.set_user_attr(PARENT, run_id)
    return run_id


def _check_store(plan: Plan, study: Study) -> None:
    """Refuse a study whose runs cannot be in the store, before an empty store is made."""
    database = plan.tracking.database
    if PARENT in study.user_attrs and database is not None and not database.exists():
        raise _wrong_store(plan)


def _wrong_store(plan: Plan) -> BadInput:
    return BadInput(
        "tracking.uri",
        plan.tracking.shown,
        f"does not hold the runs of study {plan.name}; name the store that does, or remove "
        f"{terminal_messages.study_location(plan)}, or give another sweep.name",
    )


def _end_reason(plan: Plan, study: Study) -> str | None:
    """Why the study is to have no more trials; None when it is to have some."""
    trials = completed_trials(study)
    if len(trials) >= plan.n_trials:
        return ""
    patience = Patience(plan.settings.patience, plan.pareto)
    for trial in trials:
        patience.add(TrialRecord.of(trial))
        if patience.exhausted:
            return terminal_messages.patience_message(plan, len(trials))
    return None


def _ended(plan: Plan, study: Study, seconds: float, failed: Exception | None) -> str:
    """Why the workers ended, in words where it was before the last trial.

    Raises:
        GdexpError: there was no reason: a launcher returns also when its worker failed.
        Exception: what failed, where there was one.
    """
    reason = _end_reason(plan, study)
    if reason is not None:
        return reason
    done = len(completed_trials(study))
    if plan.settings.timeout is not None and seconds >= plan.settings.timeout:
        return terminal_messages.timeout_message(plan, done)
    if failed is not None:
        raise failed
    raise GdexpError(
        f"sweep.name={plan.name}: the workers ended after {done} of {plan.n_trials} trials"
    )


def _worker_overrides(plan: Plan, given: Sequence[Override]) -> list[str]:
    """The overrides that a worker composes its config from; what is swept stands in the study."""
    filled = {
        "sweep.name": plan.name,
        "sweep.storage": plan.storage_server or str(plan.journal),
        "sweep.n_trials": plan.n_trials,
        "sweep.sampler": plan.sampler.definition(),
        # As seen from here: a worker may stand in another folder.
        "tracking.uri": plan.tracking.resolved,
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


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+~")


def _without_hydra(cfg: DictConfig) -> DictConfig:
    from omegaconf import open_dict

    with open_dict(cfg):
        del cfg["hydra"]
    return cfg
