"""The driver of a sweep: plans it, launches the workers, and prints what they found."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gdexp.core import CommandExit, GdexpError, gc_control, json_output
from gdexp.display import terminal
from gdexp.experiment import Experiment, nondeterminism_warning
from gdexp.sweeps.application import Application
from gdexp.sweeps.cleanup import cleanup_on_error
from gdexp.sweeps.duration import estimated_duration, print_duration
from gdexp.sweeps.failure import FailureLimit
from gdexp.sweeps.launchers import WorkerLauncher, Workers
from gdexp.sweeps.opened_sweep import check_sweep_run, open_sweep
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.preview import preview
from gdexp.sweeps.results import (
    SweepResult,
    create_trial_runs,
    finish_sweep_run,
    print_result,
    problem_rows,
    start_sweep_run,
    sweep_answer,
    terminal_messages,
    tested,
    with_confirmation,
    with_race,
)
from gdexp.sweeps.study import (
    TrialRecord,
    completed_trials,
    handed_over,
    recorded_trials,
    recover_trials,
    study_lock,
)
from gdexp.sweeps.supervisor import supervise
from gdexp.sweeps.worker import (
    HOLDS_OUT,
    RACES,
    FurtherSeeds,
    HeldOutDescents,
    TrialCheckpoints,
)

if TYPE_CHECKING:
    from optuna import Study
    from rich.console import Console

    from gdexp.tracking import Store

NOTHING_CONVERGED = 1
"""The exit status of a sweep without a winner."""


class FinishedSweep(NamedTuple):
    """A sweep at its end.

    Attributes:
        plan: of the sweep.
        result: what it found.
        parent: the id of the sweep's own run.
    """

    plan: Plan
    result: SweepResult
    parent: str


def run_sweep(application: Application, launcher: WorkerLauncher | None) -> None:
    """Run a sweep to its last trial, as a command.

    Args:
        application: whose trials are made.
        launcher: starts the workers through another Hydra launcher; None: on this machine.

    Raises:
        CommandExit: no trial has what was looked for.
        GdexpError: as `finish_sweep`.
    """
    finished = finish_sweep(application, launcher)
    if finished is None or not finished.result.records or finished.result.best is not None:
        return
    if finished.plan.counts_iterations or finished.plan.tells_failures:
        raise CommandExit(NOTHING_CONVERGED)


def finish_sweep(
    application: Application, launcher: WorkerLauncher | None = None
) -> FinishedSweep | None:
    """Run a sweep to its last trial.

    Args:
        application: whose trials are made.
        launcher: starts the workers through another Hydra launcher; None: on this machine.

    Returns:
        The sweep; None where it was only previewed.

    Raises:
        BadInput: before anything is written.
        StorageFailed: the study or the store cannot be written.
        StudyInUse: another process works on the study.
    """
    plan = application.plan(launcher)
    out = application.console()
    if plan.settings.preview:
        preview(out, plan)
        return None
    differing = list(filter(None, map(nondeterminism_warning, _examples_of_user(plan))))
    terminal_messages.print_plan(out, plan)
    for warning in differing:
        terminal.print_warning(warning)
    if plan.storage_server is not None or not plan.journal.exists():  # else its trials say it
        print_duration(out, estimated_duration(plan))

    def work(study: Study, store: Store, parent: str, lock: int | None) -> Exception | None:
        count = plan.settings.worker_count
        if launcher is None and count == 1:
            with handed_over(study):
                return application.run_worker(plan)
        workers: Workers
        if launcher is None:
            workers = application.start_workers(plan, count, lock)
        else:
            workers = launcher.start(application.orders(plan), count, study.set_user_attr)
        supervise(out, plan, study, store, parent, workers)
        return workers.failure()

    finished, failures = _run(out, plan, bool(differing), application.opened, work)
    application.write_result(plan, finished.result)
    if failures.exceeded and len(finished.result.records) < plan.n_trials:
        raise GdexpError(f"sweep.name={plan.name}: {failures.message()}")
    return finished


def _examples_of_user(plan: Plan) -> list[Experiment]:
    """Return examples whose problem is the user's own, one for each problem."""
    if not plan.user_codes():
        return []
    found = {each.config["problem"].get("path"): each for each in reversed(plan.examples())}
    return [each for path, each in found.items() if isinstance(path, str)]


def _run(
    out: Console,
    plan: Plan,
    differing: bool,
    opened_study: Callable[[Plan, Study], None],
    work: Callable[..., Exception | None],
) -> tuple[FinishedSweep, FailureLimit]:
    """Open the study, let the workers make what is missing, and write and print the result.

    Args:
        out: the terminal.
        plan: of the sweep.
        differing: whether a problem gives different losses for the same settings.
        opened_study: prepares the study for the workers.
        work: runs the workers to their end; returns the error of one, if any.
    """
    with study_lock(plan) as lock, cleanup_on_error(out, plan) as opened:
        study, store, parent = open_sweep(plan, opened, differing)
        opened_study(plan, study)
        again = recover_trials(study, store, parent, plan.space)
        earlier = {trial.number for trial in completed_trials(study)}
        TrialCheckpoints(plan).remove_finished(earlier)
        terminal_messages.print_resumed(out, plan, len(earlier), again)
        if opened.code_note is not None:
            terminal.print_line(out, opened.code_note)
        if plan.tracks:
            start_sweep_run(plan, store, parent)
        began = time.monotonic()
        failed = None
        gc_control.begin()
        if _end_reason(plan, study) is None:
            failed = work(study, store, parent, lock)
        failures = _failures(plan, study, earlier)
        ended = _ended(plan, study, time.monotonic() - began, failed, failures)
        result = SweepResult.from_study(study, plan)
        if not failures.exceeded:
            further = FurtherSeeds(plan, study, store, parent, RACES)
            result = with_race(plan, result, further, lambda line: terminal.print_line(out, line))
            if result.best_trial is not None:
                apart = HeldOutDescents(plan, study, store, parent, HOLDS_OUT)
                result = replace(
                    result,
                    tested=tested(plan, result.best_trial[0], apart),
                    problems=problem_rows(plan, result.trials, result.records, result.best),
                )
            counts = FurtherSeeds(plan, study, store, parent).counts
            result = with_confirmation(plan, result, counts)
        if plan.tracks:
            check_sweep_run(plan, store, parent)
            result = create_trial_runs(plan, result, store, parent)
            finish_sweep_run(plan, result, store, parent)
        completed_trials(study)  # raises if the study was taken away meanwhile
        print_result(out, plan, result, store, parent)
        json_output.answer("sweep", sweep_answer(plan, result, store, parent, ended))
        if ended:
            out.print(f"\n{ended}")
        terminal_messages.print_edited(out, plan)
    return FinishedSweep(plan, result, parent), failures


def _end_reason(plan: Plan, study: Study) -> str | None:
    """Return why the study needs no more trials; None if it needs some.

    The reason is empty when all trials are done.
    """
    trials = completed_trials(study)
    if len(trials) >= plan.n_trials:
        return ""
    patience = Patience(plan.settings.patience, plan.objectives)
    for trial in recorded_trials(study):
        patience.add(TrialRecord.of(trial))
        if patience.exhausted:
            return terminal_messages.patience_message(plan, len(trials))
    return None


def _failures(plan: Plan, study: Study, earlier: Collection[int]) -> FailureLimit:
    """Return the failures among the trials that this start of the sweep added."""
    failures = FailureLimit(plan.settings.max_failures)
    for trial in recorded_trials(study):
        if trial.number not in earlier:
            failures.add(TrialRecord.of(trial))
    return failures


def _ended(
    plan: Plan, study: Study, seconds: float, failed: Exception | None, failures: FailureLimit
) -> str:
    """Return why the workers ended; empty when all trials are done.

    Args:
        plan: of the sweep.
        study: that the workers shared.
        seconds: since the workers were started.
        failed: the error of a worker, if any.
        failures: among the trials of this start.

    Raises:
        Exception: `failed`, if the sweep is not at its end.
        GdexpError: the workers ended early without an error.
    """
    reason = _end_reason(plan, study)
    if reason is not None:
        return reason
    done = len(completed_trials(study))
    if plan.settings.timeout is not None and seconds >= plan.settings.timeout:
        return terminal_messages.timeout_message(plan, done)
    if failed is not None:
        raise failed
    if failures.exceeded:
        return ""  # the error after the report says it
    raise GdexpError(
        f"sweep.name={plan.name}: the workers ended after {done} of {plan.n_trials} trials"
    )
