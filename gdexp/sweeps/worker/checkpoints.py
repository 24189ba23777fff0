"""The checkpoints of a study's trials, from which a killed trial goes on."""

from __future__ import annotations

import shutil
from contextlib import suppress

from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.experiment import Experiment, checkpointing
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.trial import AskedTrial


class TrialCheckpoints:
    """The checkpoints of the trials of one sweep.

    A trial that waits again after a kill has its number and parameters, so it finds its checkpoint.
    That of a seed that ended stays until the trial is told.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        self._folder, self._settings = plan.checkpoints, plan.checkpoint

    def of(self, asked: AskedTrial, experiment: Experiment) -> Checkpointing:
        """Return the checkpoints of one seed of a trial.

        A checkpoint of other code or settings is not used: the trial then begins again.
        """
        own = self._folder / str(asked.number) / str(experiment.seed)
        return checkpointing(experiment, CheckpointFolder(own), self._settings, drops_others=True)

    def remove(self, number: int) -> None:
        """Remove the checkpoints of a trial that the study was told."""
        own = self._folder / str(number)
        if own.exists():
            shutil.rmtree(own, ignore_errors=True)
            with suppress(OSError):  # those of other trials are there
                self._folder.rmdir()
                self._folder.parent.rmdir()
