"""Where the files of a study are."""

from __future__ import annotations

from pathlib import Path

from gdexp.core import command_folder
from gdexp.experiment import FOLDER


def journal_path(storage: str | None, name: str) -> Path:
    """Return the absolute path of a study's journal file.

    Args:
        storage: as it was given; None: in a folder of the study's name.
        name: of the study.
    """
    return command_folder() / (storage if storage else Path("sweeps", name, "study.journal"))


def checkpoints_path(journal: Path | None, name: str) -> Path:
    """Return the absolute path of the folder of the trials' checkpoints, beside the journal.

    A journal may hold several studies, so the folder has the study's name.

    Args:
        journal: of the study; None: a server holds the study, and it is where one would be.
        name: of the study.
    """
    beside = command_folder() / "sweeps" / name if journal is None else journal.parent
    return beside / FOLDER / name
