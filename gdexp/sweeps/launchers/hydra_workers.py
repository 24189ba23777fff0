"""Workers that a Hydra launcher starts in one call, whichever launcher it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from gdexp.core import context_thread
from gdexp.sweeps.launchers.base import END_SECONDS
from gdexp.sweeps.study import STOP_ATTRIBUTE


class HydraWorkers:
    """Workers started by one call of a Hydra launcher.

    The call returns when the last worker ends; if a worker was killed, it may never return. So a
    daemon thread makes the call, and the driver does not wait for the thread without a limit.

    Args:
        launch: calls the launcher.
        set_attribute: sets an attribute of the study.
    """

    def __init__(
        self, launch: Callable[[], None], set_attribute: Callable[[str, Any], None]
    ) -> None:
        self._launch, self._set_attribute = launch, set_attribute
        self._failure: Exception | None = None
        set_attribute(STOP_ATTRIBUTE, None)
        self._thread = context_thread(self._run, "gdexp-launcher")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._launch()
        except Exception as error:
            self._failure = error

    def ended(self) -> bool:
        """Return whether the launcher has returned."""
        return not self._thread.is_alive()

    def lost(self) -> list[str]:
        """Return nothing: a launcher reports killed workers only at its end."""
        return []

    def failure(self) -> Exception | None:
        """Return what the launcher raised."""
        return self._failure

    def end(self, soon: bool) -> None:
        """Tell the workers through the study to end, and wait for them."""
        if soon and not self.ended():
            self._set_attribute(STOP_ATTRIBUTE, os.getpid())
            self._thread.join(END_SECONDS)
