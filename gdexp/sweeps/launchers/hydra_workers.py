"""Workers that any Hydra launcher starts, all in one call."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from gdexp.sweeps.launchers.base import END_SECONDS
from gdexp.sweeps.study import STOP


class HydraWorkers:
    """Workers that a Hydra launcher started, wherever that is.

    A launcher returns when its last worker does. For one that was killed that may be never, so a
    thread waits for it, and nobody waits for the thread.

    Args:
        launch: runs the workers.
        tell: sets an attribute of the study.
    """

    def __init__(self, launch: Callable[[], None], tell: Callable[[str, Any], None]) -> None:
        self._launch, self._tell = launch, tell
        self._failure: Exception | None = None
        tell(STOP, None)
        self._thread = threading.Thread(target=self._run, name="gdexp-launcher", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._launch()
        except Exception as error:
            self._failure = error

    def ended(self) -> bool:
        """Whether the launcher has returned."""
        return not self._thread.is_alive()

    def lost(self) -> list[str]:
        """Nothing: a launcher keeps that for its end."""
        return []

    def failure(self) -> Exception | None:
        """What the launcher raised."""
        return self._failure

    def end(self, soon: bool) -> None:
        """Leave word for the workers, and give them a while."""
        if soon and not self.ended():
            self._tell(STOP, os.getpid())
            self._thread.join(END_SECONDS)
