"""The checkpoints of a study's trials, from which a killed trial goes on."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.core import GdexpError
from gdexp.descent import BatchSaving, SavedRows
from gdexp.display import terminal
from gdexp.experiment import (
    Experiment,
    RowKey,
    basis_difference,
    batch_checkpointing,
    checkpointing,
    row_key,
    saved_rows,
)
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import problem_digest
from gdexp.sweeps.trial import AskedTrial

Pairs = Sequence[tuple[AskedTrial, Experiment]]
"""Descents that are to be run, each with its trial."""

BATCH = "batch"
"""The folder, in that of its last trial, of a batch's checkpoints."""


class TrialCheckpoints:
    """The checkpoints of the trials of one sweep.

    A trial that waits again after a kill has its number and parameters, so it finds its checkpoint.
    That of a seed that ended stays until the trial is told; that of a batch until its last trial
    is.

    Args:
        plan: of the sweep.
    """

    def __init__(self, plan: Plan) -> None:
        self._folder, self._settings = plan.checkpoints, plan.checkpoint
        self._several = bool(plan.problems)

    def of(self, asked: AskedTrial, experiment: Experiment) -> Checkpointing:
        """Return the checkpoints of one seed of a trial.

        A checkpoint that is damaged, or of other code or settings, is not used: the trial then
        begins again.
        """
        name = f"{experiment.seed}-{problem_digest(experiment.config)}" if self._several else ""
        own = self._folder / str(asked.number) / (name or str(experiment.seed))
        folder = CheckpointFolder(own)

        def warn(text: str) -> None:
            terminal.print_warning(f"trial {asked.number}: {text}")

        return checkpointing(experiment, folder, self._settings, drops_others=True, warn=warn)

    def of_batch(self, pairs: Pairs, in_order: bool) -> Iterator[tuple[Pairs, BatchSaving]]:
        """Divide descents of one kind into those that a killed batch saved, and the others.

        Args:
            pairs: the descents.
            in_order: whether each limits those after it, so that they stay in their order.

        Yields:
            Descents that can run together, and what saves them and goes on with them.
        """
        batches = self._batches()
        if not batches:
            yield self._batch(pairs)
            return
        left = {row_key(asked.number, each): (asked, each) for asked, each in pairs}
        if in_order:
            yield from self._in_order(batches, left)
            return
        for folder in batches:
            places = saved_rows(folder.about() or {})
            found = [key for key in left if key in places]
            saved = self._loaded(folder, found, pairs[0][1]) if found else None
            if saved is not None:
                yield self._batch([left.pop(key) for key in found], saved)
        if left:
            yield self._batch(list(left.values()))

    def _in_order(
        self,
        batches: Sequence[CheckpointFolder],
        left: Mapping[RowKey, tuple[AskedTrial, Experiment]],
    ) -> Iterator[tuple[Pairs, BatchSaving]]:
        """Divide descents that stay in their order where another batch saved the next one."""
        known: dict[RowKey, CheckpointFolder] = {}
        for folder in batches:
            for key in saved_rows(folder.about() or {}):
                known.setdefault(key, folder)
        for found, keys in groupby(left, key=known.get):
            some = list(keys)
            saved = None if found is None else self._loaded(found, some, left[some[0]][1])
            yield self._batch([left[key] for key in some], saved)

    def _batch(self, pairs: Pairs, saved: SavedRows | None = None) -> tuple[Pairs, BatchSaving]:
        rows = [(asked.number, experiment) for asked, experiment in pairs]
        folder = CheckpointFolder(self._folder / str(rows[-1][0]) / BATCH)
        checkpoints = batch_checkpointing(rows, folder, self._settings)
        return pairs, BatchSaving(checkpoints, saved, terminal.print_warning)

    def _batches(self) -> list[CheckpointFolder]:
        """Return the batches that were saved, the newest first."""
        if not self._folder.exists():
            return []
        found = [CheckpointFolder(each / BATCH) for each in self._folder.iterdir()]
        saved = [each for each in found if each.numbers()]
        return sorted(saved, key=lambda each: -max(each.numbers()))

    def _loaded(
        self, folder: CheckpointFolder, keys: Collection[RowKey], experiment: Experiment
    ) -> SavedRows | None:
        """Return what a batch saved of some rows; None, with a warning, where it is of no use."""
        try:
            found = folder.load(experiment.device)
        except GdexpError as error:
            terminal.print_warning(f"{error}; its trials begin again")
            return None
        if found is None:
            return None
        reason, places = basis_difference(experiment, found.about), saved_rows(found.about)
        if reason is None and not places.keys() >= set(keys):
            reason = "the newest is damaged, and the one before is of other trials"
        if reason is not None:
            reason = f"checkpoint {folder.path}: {reason}; its trials begin again"
        for each in found.warnings if reason is None else [reason]:
            terminal.print_warning(each)
        if reason is not None:
            return None
        return SavedRows(found.state, [places[key] for key in keys])

    def remove_finished(self, numbers: Collection[int]) -> None:
        """Remove what is left of trials that were told when a kill came before the removal.

        Args:
            numbers: of the finished trials.
        """
        if self._folder.exists():
            for each in list(self._folder.iterdir()):
                if each.name.isdecimal() and int(each.name) in numbers:
                    self.remove(int(each.name))

    def remove(self, number: int) -> None:
        """Remove the checkpoints of a trial that the study was told."""
        own = self._folder / str(number)
        if own.exists():
            shutil.rmtree(own, ignore_errors=True)
            with suppress(OSError):  # those of other trials are there
                self._folder.rmdir()
                self._folder.parent.rmdir()
