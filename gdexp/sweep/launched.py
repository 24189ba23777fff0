"""A worker as a Hydra launcher starts it: in the driver's own process, or wherever jobs run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gdexp.interrupts import raising
from gdexp.place import standing
from gdexp.sweep.presence import Place
from gdexp.sweep.worker import work

if TYPE_CHECKING:
    from hydra.conf import HydraConf

IN_PROCESS = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def work_launched(composed: Mapping[str, Any], hydra: HydraConf) -> None:
    """Be a worker.

    Args:
        composed: its config.
        hydra: what Hydra knows of the job.
    """
    if hydra.launcher["_target_"] == IN_PROCESS:
        work(composed)
        return
    with raising(), standing():
        work(composed, Place.ELSEWHERE)
