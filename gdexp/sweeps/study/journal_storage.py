"""The study's storage: no signal in the middle of an operation, and errors that name the file."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal._storage import JournalStorageReplayResult
from optuna.trial import FrozenTrial, TrialState

from gdexp.core import StorageFailed, reason, signals
from gdexp.sweeps.study.journal_file import Journal
from gdexp.sweeps.study.skip_waiting import Queueless


class StudyStorage(Queueless, JournalStorage):
    """Optuna's journal storage, safe to be interrupted.

    Interrupted halfway, its picture of the study would miss the line that it was at, and the file
    could keep half a line, which spoils every line after it.

    Args:
        path: of the journal file.

    Raises:
        StorageFailed: from every method: the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.journal = Journal(path)
        # A thread that shows signs of life writes too, and may not come into a group.
        self.turn = threading.RLock()
        with _reported(self.journal):
            super().__init__(self.journal)

    @contextmanager
    def grouped_writes(self) -> Iterator[None]:
        """Write all changes made inside at once, at the end; a kill or an error leaves none.

        For changes that take little time: whoever else uses the file waits for them.
        """
        with self.turn, _reported(self.journal):
            try:
                with self.journal.grouped_writes(self):
                    yield
            except BaseException:
                self._replay_result = JournalStorageReplayResult(self._worker_id_prefix)
                raise

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """The trials of a study in these states."""
        with signals.shielded(), self.turn, _reported(self.journal):
            return super().get_all_trials(study_id, deepcopy, states)


def repair_journal(path: Path) -> None:
    """Undo what a kill left in the middle of a write. Nothing else may be using the journal."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    for leftover in path.parent.glob(f"{path.name}.lock*.rename"):
        leftover.unlink(missing_ok=True)
    if path.exists():
        Journal(path).cut_torn_line()


def _whole(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the storage, shielded and reported."""

    @wraps(method)
    def whole(self: StudyStorage, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        with signals.shielded(), self.turn, _reported(self.journal):
            return method(self, *args, **kwargs)

    return whole


@contextmanager
def _reported(journal: Journal) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        with suppress(OSError):
            journal.cut_torn_line()  # what a full disk took of the last write
        raise StorageFailed(f"sweep.storage={journal.path}: {reason(error)}") from error


for _name, _method in list(vars(JournalStorage).items()):
    if callable(_method) and not _name.startswith("_") and _name not in vars(StudyStorage):
        setattr(StudyStorage, _name, _whole(_method))
