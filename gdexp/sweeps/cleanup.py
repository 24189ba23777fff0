"""What is put in order when a sweep ends by a signal or an error, so that it can be continued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdexp.core import Interrupted, StorageFailed, signals
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.results import terminal_messages
from gdexp.sweeps.study import completed_trials, recover_trials

if TYPE_CHECKING:
    from optuna import Study
    from rich.console import Console

    from gdexp.tracking import Store


@dataclass
class OpenedSweep:
    """How far a sweep got: what there is to be put in order.

    Attributes:
        study: once it is open.
        runs: the store, and the sweep's own run in it, once that is there.
    """

    study: Study | None = None
    runs: tuple[Store, str] | None = None


@contextmanager
def cleanup_on_error(out: Console, plan: Plan) -> Iterator[OpenedSweep]:
    """Leave study and store in order, however the sweep in it ends.

    Storage that failed is left as it is: it would fail again, and keep the user waiting. What it
    holds is settled when the sweep is continued.
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
                # A terminal that is gone (HUP) takes no words.
                with suppress(StorageFailed, OSError):
                    done = 0 if opened.study is None else len(completed_trials(opened.study))
                    terminal_messages.print_interrupted(out, plan, done)
        raise


def _close(plan: Plan, opened: OpenedSweep, status: str) -> None:
    if opened.study is None or opened.runs is None:
        return
    store, parent = opened.runs
    with suppress(StorageFailed):
        recover_trials(opened.study, store, parent, plan.space)
        store.abandon(parent, status)
