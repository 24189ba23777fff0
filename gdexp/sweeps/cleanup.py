"""The cleanup after a sweep that a signal or an error ended: it can be continued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from gdexp.core import Interrupted, StorageChanged, StorageFailed, signals
from gdexp.sweeps.opened_sweep import OpenedSweep
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results import terminal_messages
from gdexp.sweeps.study import completed_trials, recover_trials
from gdexp.tracking import has_active_run

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def cleanup_on_error(out: Console, plan: Plan) -> Iterator[OpenedSweep]:
    """Leave study and store in order if the sweep inside ends early.

    A storage that failed is left as it is: it would fail again, and keep the user waiting. Its
    trials are recovered when the sweep is continued.

    Args:
        out: where the user reads how to continue.
        plan: of the sweep.

    Yields:
        The parts of the sweep; the caller fills it as it opens them.
    """
    opened = OpenedSweep()
    try:
        yield opened
    except BaseException as error:
        with signals.ending():
            storage_failed = isinstance(error, StorageFailed)
            if not storage_failed:
                _close(plan, opened, "FAILED" if isinstance(error, Exception) else "KILLED")
            if opened.runs is not None or storage_failed or isinstance(error, Interrupted):
                # After HUP the terminal is gone.
                with suppress(StorageFailed, OSError):
                    done = 0 if opened.study is None else len(completed_trials(opened.study))
                    if not isinstance(error, StorageChanged) and _continues(opened):
                        terminal_messages.print_interrupted(out, plan, done, storage_failed)
                        error.add_note(f"{done} of {plan.n_trials} trials are recorded")
        raise


def _continues(opened: OpenedSweep) -> bool:
    """Return whether the same command can continue, as far as files of this machine show it."""
    if opened.runs is None:
        return True
    store, parent = opened.runs
    store.files.check()
    return store.database is None or has_active_run(store.database, parent)


def _close(plan: Plan, opened: OpenedSweep, status: str) -> None:
    if opened.study is None or opened.runs is None:
        return
    store, parent = opened.runs
    with suppress(StorageFailed):
        recover_trials(opened.study, store, parent, plan.space)
        store.abandon(parent, status)
