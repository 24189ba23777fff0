"""A study in a journal file: no signal interrupts an operation, and errors name the file."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from optuna.distributions import distribution_to_json
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial

from gdexp.core import StorageChanged, StorageFailed, failure_reason, signals
from gdexp.sweeps.optuna_internals import (
    Draft,
    journal_attribute,
    journal_creation,
    journal_end,
    trial_id,
)
from gdexp.sweeps.study.journal_file import FileReplaced, Journal
from gdexp.sweeps.study.study_storage import StudyStorage, end_of

LOCK_LEFTOVER = re.compile(r"\.lock[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.rename")
"""What Optuna adds to a journal's name for a lock that is being released."""


class JournalStudyStorage(StudyStorage):
    """Optuna's journal storage, protected from signals.

    An interrupted operation could miss a line that it was reading, or leave half a line in the
    file, which spoils every line after it.

    Args:
        path: of the journal file; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # The heartbeat thread writes too; it must wait until a group is written.
        self._turn = threading.RLock()
        self._journal = Journal(path)
        self._inner: JournalStorage | None = None

    @property
    def inner(self) -> JournalStorage:
        """Return Optuna's storage; a new one reads the whole file."""
        if self._inner is None:
            self._inner = JournalStorage(self._journal)
        return self._inner

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Keep signals and other threads out, and name the file in errors."""
        with signals.shielded(), self._turn, self._errors():
            yield

    @contextmanager
    def grouped_writes(self) -> Iterator[None]:
        """Write all changes made inside at once, at the end; a kill or an error leaves none.

        The changes must take little time: every other process that uses the file waits.
        """
        with self._turn, self._errors():
            try:
                with self._journal.grouped_writes(self.inner):
                    yield
            except BaseException:
                self._inner = None  # it knows changes that were never written
                raise

    def claim_lock(self, study_name: str) -> AbstractContextManager[None]:
        """Keep all other processes from changing the file."""
        del study_name  # the lock is the file's
        return self.grouped_writes()

    def create_trials(self, study_id: int, drafts: Sequence[Draft]) -> list[FrozenTrial]:
        """Create running trials with their parameters, a line of the file for each."""
        ranges = {n: range_ for draft in drafts for n, range_ in draft.distributions.items()}
        encoded = {name: distribution_to_json(range_) for name, range_ in ranges.items()}
        now = _now()
        changes = [journal_creation(study_id, draft, encoded, now) for draft in drafts]
        with self.guard():
            self._journal.append_group(changes)
            return self.inner.get_all_trials(study_id, deepcopy=False)[-len(drafts) :]

    def set_attributes(
        self, study_id: int, attributes: Mapping[int, Mapping[str, object]]
    ) -> set[int]:
        """Set user attributes of trials, by their numbers."""
        finished, changes = set(), []
        with self.guard():
            trials = self.inner.get_all_trials(study_id, deepcopy=False)
            for number, given in attributes.items():
                if trials[number].state.is_finished():
                    finished.add(number)
                    continue
                known = trial_id(trials[number])
                changes += [journal_attribute(known, *each) for each in given.items()]
            self._journal.append_group(changes)
        return finished

    def end_trials(self, study_id: int, values: Mapping[int, Sequence[float]]) -> None:
        """End running trials with their values, by their numbers."""
        changes, now = [], _now()
        with self.guard():
            trials = self.inner.get_all_trials(study_id, deepcopy=False)
            for number, given in values.items():
                if not trials[number].state.is_finished():
                    state, kept = end_of(given)
                    changes.append(journal_end(trial_id(trials[number]), int(state), kept, now))
            self._journal.append_group(changes)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (FileReplaced, FileNotFoundError) as error:
            raise StorageChanged(
                f"sweep.storage={self._path}: was deleted or replaced while it was in use; restore "
                "a copy of it, or give another sweep.name"
            ) from error
        except OSError as error:
            with suppress(OSError):
                self._journal.cut_torn_line()  # a full disk may have taken half a write
            raise StorageFailed(f"sweep.storage={self._path}: {failure_reason(error)}") from error


def repair_journal(path: Path) -> None:
    """Remove locks and a torn line that a kill left. No other process may use the journal."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    for leftover in path.parent.iterdir():
        if LOCK_LEFTOVER.fullmatch(leftover.name.removeprefix(path.name)):
            leftover.unlink(missing_ok=True)
    if path.exists():
        Journal(path).cut_torn_line()


def _now() -> str:
    """Return the time as Optuna writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
