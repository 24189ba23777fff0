"""Sweeps run by gdexp's own command in this process, and the studies that they leave."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.cli.main import main
from gdexp.sweeps.study.trial_record import TrialRecord

if TYPE_CHECKING:
    from optuna import Study


@dataclass(frozen=True)
class Swept:
    """A finished sweep.

    Attributes:
        study: read back from its journal.
        records: of its finished trials, in order.
        seconds: the whole command took, imports apart when one ran before.
    """

    study: Study
    records: list[TrialRecord]
    seconds: float


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """An empty current directory."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


def swept(name: str, *arguments: str) -> Swept:
    """Run `gdexp +sweep …` here.

    Raises:
        RuntimeError: it did not end with status 0; what it said follows.
    """
    said = io.StringIO()
    given = ["+sweep", f"sweep.name={name}", f"sweep.storage={name}.journal", *arguments]
    began = time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = main(given)
    seconds = time.perf_counter() - began
    if status:
        raise RuntimeError(f"the sweep ended with status {status}: {said.getvalue()}")
    study = loaded(Path(f"{name}.journal"), name)
    return Swept(study, [TrialRecord.of(trial) for trial in study.get_trials()], seconds)


def loaded(journal: Path, name: str) -> Study:
    """A study, read with Optuna alone."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return optuna.load_study(
        study_name=name, storage=JournalStorage(JournalFileBackend(str(journal)))
    )
