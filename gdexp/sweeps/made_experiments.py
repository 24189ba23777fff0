"""The experiments that a plan made last: most others differ from one of them in few keys."""

from __future__ import annotations

from gdexp.config import Config
from gdexp.engine import Plans
from gdexp.experiment import Experiment, trusted_paths

MOST_MADE = 8


class MadeExperiments:
    """Makes experiments from configs, whole only where none of the last ones is like it.

    Args:
        plans: keeps what is recorded of the losses.
        problems: how many a trial may have.
    """

    def __init__(self, plans: Plans, problems: int) -> None:
        self._plans, self._most = plans, MOST_MADE + problems
        self._known: list[Experiment] = []

    def of(self, config: Config) -> Experiment:
        """Return the experiment of a config."""
        made = next(filter(None, (known.varied(config) for known in self._known)), None)
        if made is None:
            made = Experiment.from_config(config, trusted_paths(config), self._plans)
            self._known = [made, *self._known][: self._most]
        return made
