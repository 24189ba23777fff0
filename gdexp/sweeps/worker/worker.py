"""A worker: asks, descends, records, tells, until the study has its trials."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gdexp.core import StorageFailed, signals
from gdexp.descent import Cap
from gdexp.display import terminal
from gdexp.sweeps import cleanup
from gdexp.sweeps.display import Progress
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import (
    PARENT,
    RECORD,
    TrialRecord,
    finished,
    reported,
    tell,
    together,
)
from gdexp.sweeps.trial import Asked, Ran
from gdexp.sweeps.worker.ask import TRIALS_PER_CHANGE, TrialAsker
from gdexp.sweeps.worker.cache import RunCache
from gdexp.sweeps.worker.evaluate import TrialEvaluator
from gdexp.sweeps.worker.row_records import recorder_and_writer
from gdexp.sweeps.worker.run_records import TrialRecorder, TrialRuns
from gdexp.sweeps.worker.run_writer import RunWriter
from gdexp.sweeps.worker.watch import DescentWatch
from gdexp.tracking import Store

if TYPE_CHECKING:
    from optuna import Study
    from rich.console import Console


WRITE_EVERY_SECONDS = 0.5
"""Trials of one batch that are done are written together, but never kept back longer."""


class WrittenTrial(NamedTuple):
    """A trial whose runs are in MLflow, and so can be told to the study."""

    ran: Ran
    record: TrialRecord
    run_ids: list[str]


class Worker:
    """The state of one worker's loop."""

    def __init__(self, plan: Plan, study: Study, store: Store) -> None:
        self.plan, self.study = plan, study
        self.recorder: TrialRecorder
        self.writer: RunWriter[WrittenTrial]
        self.recorder, self.writer = recorder_and_writer(plan, store, str(study.user_attrs[PARENT]))
        self.cap = Cap(plan.settings.cap)
        self.cache = RunCache(store) if plan.settings.reuse else None
        self.patience = Patience(plan.settings.patience, plan.pareto)
        self.asker = TrialAsker(study, plan)
        self.opened: dict[int, TrialRuns] = {}
        self.ready: list[tuple[Ran, TrialRecord]] = []
        self.untold: set[int] = set()

    def run(self) -> None:
        """Make trials until there are enough, or time or patience is at its end.

        Raises:
            StorageFailed: with the trials that it cost.
        """
        try:
            with reported(self.plan.served):
                self._run()
        except StorageFailed as error:
            cleanup.storage_failed()
            lost = f"; not recorded: {_listed(self.untold)}" if self.untold else ""
            raise StorageFailed(f"{error}{lost}") from error

    def _run(self) -> None:
        with self.writer, Progress(self._console(), self.plan.n_trials) as self.progress:
            watch = DescentWatch(self.progress, self._show)
            self.evaluator = TrialEvaluator(self.cap, self.cache, watch.alone, watch.together)
            self._loop(time.monotonic())
            self._tell(self.writer.finish())

    def _console(self) -> Console:
        """Where progress is shown."""
        return terminal.console()

    def _loop(self, began: float) -> None:
        """Ask and run trials, batch by batch, until the sweep is to end."""
        done = finished(self.study)
        for earlier in done:
            record = TrialRecord.of(earlier)
            self.progress.earlier(record, record.hitting_time, self.plan.rate(earlier.params))
            self._count(record)
        ordinal = len(done)
        while ordinal < self.plan.n_trials and not self._over(began):
            if self.asker.must_wait(ordinal):
                self._tell(self.writer.finish())
            asked = self._ask(ordinal)
            self._batch(asked)
            ordinal += len(asked)

    def _over(self, began: float) -> bool:
        """Whether time or patience is at its end."""
        signals.check()
        timeout = self.plan.settings.timeout
        late = timeout is not None and time.monotonic() - began >= timeout
        return late or self.patience.over

    def _ask(self, ordinal: int) -> list[Asked]:
        many = min(self.asker.batch_size(ordinal), self.plan.n_trials - ordinal)
        if self.patience.left is not None:  # a batch ends no later than one trial at a time would
            many = min(many, self.patience.left)
        asked: list[Asked] = []
        while len(asked) < many:
            with together(self.study):
                for _ in range(min(many - len(asked), TRIALS_PER_CHANGE)):
                    asked.append(self.asker.ask(ordinal + len(asked)))
        return asked

    def _batch(self, asked: Sequence[Asked]) -> None:
        """Descend and record trials."""
        self.untold |= {each.number for each in asked}
        for each in asked:
            self.opened[each.number] = self.recorder.open(each)
        written = time.monotonic()
        try:
            for ran in self.evaluator.run(asked):
                if ran.more and not self.ready:
                    written = time.monotonic()  # those that were done with it are written with it
                self._keep(ran)
                late = time.monotonic() - written > WRITE_EVERY_SECONDS
                if late or len(self.ready) == TRIALS_PER_CHANGE:
                    self._write()
                    written = time.monotonic()
        except StorageFailed:
            raise  # it would fail again
        except BaseException as error:
            with signals.ending(), contextlib.suppress(StorageFailed):
                self._write()  # what is done is not lost by what ended the sweep
                self._tell(self.writer.finish())
                if isinstance(error, Exception):
                    for opened in self.opened.values():
                        self.recorder.abandon(opened, "FAILED")
            raise
        self._write()

    def _keep(self, ran: Ran) -> None:
        """Remember what came of a trial until it is written."""
        record = TrialRecord.build(
            self.opened[ran.asked.number].trial.run_id,
            [done.result for done in ran.descents],
            self.cap,
            self.plan.settings.seeds,
            [done.source is not None for done in ran.descents],
        )
        self._count(record)
        self.ready.append((ran, record))

    def _write(self) -> None:
        """Hand the trials that are ready over to MLflow, and tell those that are there.

        In the study first: a finished child always has its record, whatever happens between.
        """
        if not self.ready:
            return
        with together(self.study):
            self.ready = [(ran, record) for ran, record in self.ready if self._owns(ran.asked)]
            for ran, record in self.ready:
                ran.asked.trial.set_user_attr(RECORD, record.as_attribute())
        runs, told = [], []
        for ran, record in self.ready:
            opened = self.opened.pop(ran.asked.number)
            runs += self.recorder.records(opened, ran, record)
            runs_of = opened.seeds or [opened.trial] if self.plan.tracking.best is None else []
            of_descents = [pending.run_id for pending in runs_of]
            told.append(WrittenTrial(ran, record, of_descents))
        self.ready = []
        self._tell(self.writer.write(runs, told))

    def _tell(self, trials: Sequence[WrittenTrial]) -> None:
        if not trials:
            return
        with together(self.study):
            for ran, record, _ in trials:
                tell(self.study, ran.asked.number, record)
        for ran, record, run_ids in trials:
            self.untold.discard(ran.asked.number)
            self.progress.add(record, record.hitting_time, self.plan.rate(ran.asked.trial.params))
            if self.cache is not None:
                for done, run_id in zip(ran.descents, run_ids, strict=False):
                    self.cache.add(done.experiment.signature, run_id, str(done.result.status))

    def _owns(self, asked: Asked) -> bool:
        """Whether a trial is still this worker's."""
        return True

    def _count(self, record: TrialRecord) -> None:
        record.count(self.cap)
        self.asker.add_lengths(record)
        self.patience.add(record)

    def _show(self, trials: Sequence[Asked]) -> None:
        for asked in trials:
            self.recorder.show(self.opened[asked.number])


def _listed(numbers: Collection[int]) -> str:
    """Trials as words, however many they are."""
    first, *others = sorted(numbers)
    if not others:
        return f"trial {first}"
    if len(others) == others[-1] - first:
        return f"trials {first} to {others[-1]}"
    return f"{len(numbers)} trials from {first} on"
