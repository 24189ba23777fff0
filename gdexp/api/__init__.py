"""The Python API: a thin front over what the command line does."""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.api.descents import compose as compose
    from gdexp.api.descents import descend as descend
    from gdexp.api.finished_runs import Named as Named
    from gdexp.api.finished_runs import RunComparison as RunComparison
    from gdexp.api.finished_runs import compare as compare
    from gdexp.api.finished_runs import rerun as rerun
    from gdexp.api.study import Study as Study
    from gdexp.api.study import StudyTrial as StudyTrial
    from gdexp.api.sweep_call import log as log
    from gdexp.api.sweep_call import sweep as sweep

__all__ = [
    "Named",
    "RunComparison",
    "Study",
    "StudyTrial",
    "compare",
    "compose",
    "descend",
    "log",
    "rerun",
    "sweep",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Named": "finished_runs",
        "RunComparison": "finished_runs",
        "Study": "study",
        "StudyTrial": "study",
        "compare": "finished_runs",
        "compose": "descents",
        "descend": "descents",
        "log": "sweep_call",
        "rerun": "finished_runs",
        "sweep": "sweep_call",
    },
)
