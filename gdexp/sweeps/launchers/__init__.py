"""How workers are started: processes of this machine, jobs of SLURM, tasks of Ray.

The names are loaded when first used: `python -m gdexp.sweeps.launchers.worker_process` imports
this package before anything else.
"""

from typing import TYPE_CHECKING

from gdexp.core import lazy_names

if TYPE_CHECKING:
    from gdexp.sweeps.launchers.choice import launcher_of as launcher_of
    from gdexp.sweeps.launchers.local import Crew as Crew
    from gdexp.sweeps.launchers.local import Engine as Engine
    from gdexp.sweeps.launchers.local import LocalCrew as LocalCrew
    from gdexp.sweeps.launchers.local import threads as threads
    from gdexp.sweeps.launchers.worker_job import work_launched as work_launched

__all__ = ["Crew", "Engine", "LocalCrew", "launcher_of", "threads", "work_launched"]

__getattr__ = lazy_names(
    __name__,
    {
        "Crew": "local",
        "Engine": "local",
        "LocalCrew": "local",
        "launcher_of": "choice",
        "threads": "local",
        "work_launched": "worker_job",
    },
)
