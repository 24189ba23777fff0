"""The study of a sweep that is to be deleted: held while that goes on, and removed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.core import StorageFailed, StudyInUse, command_folder, failure_reason, shown_path
from gdexp.experiment import FOLDER
from gdexp.sweeps.study.attributes import PARENT
from gdexp.sweeps.study.journal_check import check_journal, held_file
from gdexp.sweeps.study.study import open_storage
from gdexp.sweeps.study.worker_liveness import wait_for_other_workers
from gdexp.tracking import is_postgresql, mask_uri

if TYPE_CHECKING:
    from gdexp.sweeps.study.study_storage import StudyStorage


@dataclass(frozen=True)
class DoomedStudy:
    """The study of a sweep that is to be deleted.

    Attributes:
        name: of the study.
        parent: the id of the sweep's run.
        storage: as the user gave it; None: a journal in the folder of its name.
    """

    name: str
    parent: str
    storage: str | None = None

    @property
    def journal(self) -> Path | None:
        """The journal file; None where a server holds the study."""
        if self.storage is not None and is_postgresql(self.storage):
            return None
        given = self.storage or Path("sweeps", self.name, "study.journal")
        return command_folder() / given

    @property
    def shown(self) -> str:
        """Where the study is, for people."""
        return mask_uri(str(self.storage)) if self.journal is None else shown_path(self.journal)

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints of its trials."""
        beside = command_folder() / "sweeps" / self.name
        return (beside if self.journal is None else self.journal.parent) / FOLDER / self.name

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the study, so that no sweep works on it meanwhile.

        Yields:
            Whether there is such a study, of this sweep.

        Raises:
            StudyInUse: a process works on it.
            StorageFailed: it cannot be read.
        """
        with ExitStack() as stack:
            if self.journal is None:
                from gdexp.sweeps.study.postgres_lock import server_lock

                holder = stack.enter_context(server_lock(str(self.storage), self.name))
                if holder is not None:
                    raise self._in_use(holder)
            elif not self.journal.exists():
                yield False
                return
            else:
                check_journal(self.journal)
                stack.enter_context(self._locked(held_file(self.journal)))
            yield self._is_own()

    def remove(self) -> None:
        """Remove the study with its files; the caller holds it. To do so again is harmless."""
        import optuna

        with suppress(FileNotFoundError):
            shutil.rmtree(self.checkpoints)
        storage = self._opened()
        if self.journal is None or len(optuna.get_all_study_names(storage)) > 1:
            optuna.delete_study(study_name=self.name, storage=storage)
            return
        locks = self.journal.parent.glob(f"{escape(self.journal.name)}.lock*")
        for path in (*locks, self.journal, held_file(self.journal)):
            path.unlink(missing_ok=True)
        for folder in (self.checkpoints.parent, self.journal.parent, self.journal.parent.parent):
            with suppress(OSError):  # it holds something else
                folder.rmdir()

    def _is_own(self) -> bool:
        """Return whether the study is there and is that of the sweep."""
        import optuna

        storage = self._opened()
        if self.name not in optuna.get_all_study_names(storage):
            return False
        study = optuna.load_study(study_name=self.name, storage=storage)
        if study.user_attrs.get(PARENT) != self.parent:
            return False
        wait_for_other_workers(study, self.name)
        return True

    def _opened(self) -> StudyStorage:
        return open_storage(str(self.storage) if self.journal is None else self.journal)

    @contextmanager
    def _locked(self, lock: Path) -> Iterator[None]:
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StorageFailed(f"{self.shown}: {failure_reason(error)}") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 20, 0).decode().strip() or "unknown"
                raise self._in_use(holder) from None
            yield
        finally:
            os.close(handle)

    def _in_use(self, holder: str) -> StudyInUse:
        return StudyInUse(
            f"sweep.name={self.name}: process {holder} holds this study; end it first"
        )
