"""The Python API: a thin front over what the command line does."""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.api.study import Study as Study
    from gdexp.api.study import StudyTrial as StudyTrial
    from gdexp.api.sweep_call import log as log
    from gdexp.api.sweep_call import sweep as sweep

__all__ = ["Study", "StudyTrial", "log", "sweep"]

__getattr__ = lazy_names(
    __name__,
    {"Study": "study", "StudyTrial": "study", "log": "sweep_call", "sweep": "sweep_call"},
)
