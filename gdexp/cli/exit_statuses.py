"""The exit statuses of all commands."""

from __future__ import annotations

from gdexp.core import BadInput, GdexpError, StorageFailed, StudyInUse
from gdexp.reruns import DamagedReference, NoReference

EXIT_STATUSES = {
    "0": "done; a descent that ends without converging is a result",
    str(GdexpError.exit_status): "the work failed, or nothing in a sweep converged",
    str(BadInput.exit_status): "bad input, found before anything runs",
    str(
        NoReference.exit_status
    ): "nothing to compare a rerun with: the run is still going, failed or holds no descent",
    str(
        DamagedReference.exit_status
    ): "a rerun differs, or the files of its reference are not what their manifest says",
    str(StorageFailed.exit_status): "storage failed, or a tracking server does not answer",
    str(StudyInUse.exit_status): "another process holds the study",
    "128+N": "ended by signal N, such as 130 for Ctrl-C",
}
"""What each exit status means."""

ERROR = "the object of the error"

ANSWERED = {
    "0": "the object",
    str(GdexpError.exit_status): (
        "the object of a sweep without a winner or of a gradient that fails its check, "
        "else that of the error"
    ),
    str(BadInput.exit_status): ERROR,
    str(NoReference.exit_status): "the object, with the reasons",
    str(DamagedReference.exit_status): "the object",
    str(StorageFailed.exit_status): f"{ERROR}; nothing where it cannot be written itself",
    str(StudyInUse.exit_status): ERROR,
    "128+N": f"{ERROR}; nothing where the system or a second signal ended it at once",
}
"""What a command with `output=json` prints on standard output at each exit status."""
