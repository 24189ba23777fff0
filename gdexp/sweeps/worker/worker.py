"""The loop of a worker: ask for trials, evaluate them, write them, until the sweep ends."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from gdexp.core import StorageFailed, signals
from gdexp.descent import Cap, Result
from gdexp.display import terminal
from gdexp.sweeps.display import Progress, progress_description, progress_value
from gdexp.sweeps.failure import FailureLimit, failure_line
from gdexp.sweeps.goal import pruned_trials
from gdexp.sweeps.patience import Patience
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.pruning import FinishedReadings, Readings
from gdexp.sweeps.study import (
    StudyCode,
    TrialRecord,
    completed_trials,
    grouped_writes,
    readings_of,
    record_of_problems,
    recorded_trials,
)
from gdexp.sweeps.thresholds import study_sign, study_thresholds
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial
from gdexp.sweeps.worker.ask import TrialAsker
from gdexp.sweeps.worker.batch_size import BatchSize
from gdexp.sweeps.worker.cache import RunCache
from gdexp.sweeps.worker.checkpoints import TrialCheckpoints
from gdexp.sweeps.worker.evaluate import TrialEvaluator
from gdexp.sweeps.worker.trial_writer import MAX_TRIALS, TrialWriter, WrittenTrial
from gdexp.sweeps.worker.watch import DescentWatch
from gdexp.tracking import Store
from gdexp.training import Kept

if TYPE_CHECKING:
    from optuna import Study
    from rich.console import Console


WRITE_SECONDS = 0.5
"""The longest time that a finished trial of a batch waits to be written with the next ones."""


class Worker:
    """The only worker of a study.

    Args:
        plan: of the sweep.
        study: that the driver prepared.
        store: that takes the runs.
    """

    def __init__(self, plan: Plan, study: Study, store: Store) -> None:
        self.plan, self.study = plan, study
        self.cap = Cap(plan.settings.cap, study_sign(plan))
        self._thresholds = study_thresholds(plan)
        self.code = StudyCode(study, plan)
        self.cache = RunCache(store) if plan.settings.reuse else None
        self.patience = Patience(plan.settings.patience, plan.objectives)
        self.failures = FailureLimit(plan.settings.max_failures)
        self.batch_size = BatchSize(plan)
        self.writer = TrialWriter(plan, study, store, self._find_lost, self._on_told)
        describe = progress_description(plan)
        self.progress = Progress(self._console(), plan.n_trials, describe=describe)
        watch = DescentWatch(self.progress, self.writer.show, self.writer.curves)
        self.pruning, self.checkpoints = pruned_trials(plan), TrialCheckpoints(plan)
        self.evaluator = TrialEvaluator(
            self.cap,
            self.cache,
            watch.observed,
            watch.together,
            self.pruning,
            Kept(plan.tracking.tensors, plan.tracking.model),
            self.checkpoints,
        )

    def run(self) -> None:
        """Run trials until there are enough, or until `_must_end`.

        Raises:
            StorageFailed: names the trials that are lost.
        """
        try:
            with self.writer, self.progress:
                self._loop(time.monotonic())
                self.writer.finish()
        except StorageFailed as error:
            numbers = self.writer.unrecorded
            lost = f"; not recorded: {_in_words(numbers)}" if numbers else ""
            raise type(error)(f"{error}{lost}") from error

    def _console(self) -> Console:
        """Return the console that shows the progress."""
        return terminal.console()

    def _loop(self, start: float) -> None:
        """Run one batch of trials after another until the sweep ends."""
        earlier, ordinal = recorded_trials(self.study), len(completed_trials(self.study))
        self.progress.add_own(ordinal - len(earlier))
        for trial in earlier:
            record = TrialRecord.of(trial)
            rate = self.plan.learning_rate(trial.params)
            self.progress.add_earlier(record, progress_value(self.plan, record), rate)
            self._count(record)
            self._compare_with(trial.number, record, readings_of(trial))
        self.failures = FailureLimit(self.plan.settings.max_failures)  # of this start alone
        asker = TrialAsker(self.study, self.plan)
        while ordinal < self.plan.n_trials and not self._must_end(start):
            if asker.needs_earlier(ordinal):
                self.writer.finish()
            batch = self._ask(asker, ordinal)
            self._run_batch(batch)
            ordinal += len(batch)

    def _must_end(self, start: float) -> bool:
        """Return whether the time is up, the patience is exhausted, or too many trials failed."""
        signals.check()
        timeout = self.plan.settings.timeout
        is_late = timeout is not None and time.monotonic() - start >= timeout
        return is_late or self.patience.exhausted or self.failures.exceeded

    def _ask(self, asker: TrialAsker, ordinal: int) -> list[AskedTrial]:
        size = min(self.batch_size.at(ordinal), self.plan.n_trials - ordinal)
        # A batch makes no more trials than single ones would before the patience is exhausted.
        if (remaining := self.patience.remaining) is not None:
            size = min(size, remaining)
        batch: list[AskedTrial] = []
        while len(batch) < size:
            with grouped_writes(self.study):
                end = min(size, len(batch) + MAX_TRIALS)
                while len(batch) < end:
                    batch += asker.ask_block(ordinal + len(batch), end - len(batch))
        return batch

    def _run_batch(self, batch: Sequence[AskedTrial]) -> None:
        """Evaluate and write trials."""
        self.code.check()  # a file that is read for each trial may have changed
        self.writer.begin(batch)
        written = time.monotonic()
        try:
            for trial in self.evaluator.run(batch):
                if trial.more and not self.writer.ready:
                    written = time.monotonic()  # so that trials that end together are written so
                self._add(trial)
                is_late = time.monotonic() - written > WRITE_SECONDS
                if is_late or self.writer.ready == MAX_TRIALS:
                    self.writer.write()
                    written = time.monotonic()
        except StorageFailed:
            raise  # another write would fail too
        except BaseException as error:
            with signals.ending(), contextlib.suppress(StorageFailed):
                self.writer.write()  # trials that are finished are kept
                self.writer.finish()
                if isinstance(error, Exception):
                    self.writer.abandon("FAILED")
            raise
        self.writer.write()
        self.code.check()  # adds the modules that the descents imported

    def _add(self, trial: EvaluatedTrial) -> None:
        """Give a finished trial to the writer."""
        own_run = self.plan.own_run(trial.asked.number)
        if own_run is not None:
            self.writer.adopt(trial.asked.number, own_run)
        run_id = self.writer.run_id(trial.asked.number)
        results = [descent.result for descent in trial.descents]
        goal = self.plan.told_objectives
        if trial.failure is not None:
            stopping = self.plan.trial_config(trial.asked.trial.params)["stopping"]
            record = TrialRecord.of_failure(
                run_id,
                trial.failure,
                stopping,
                results,
                goal,
                self._thresholds,
                penalised=not self.plan.tells_failures,
            )
        else:
            record = self._record(run_id, trial, results)
        self._count(record)
        self._compare_with(trial.asked.number, record, trial.readings)
        self.writer.add(trial, record)

    def _record(self, run_id: str, trial: EvaluatedTrial, results: Sequence[Result]) -> TrialRecord:
        """Return the record of a trial that has a result."""
        plan = self.plan
        seeds, goal = plan.settings.trial_seeds, plan.told_objectives
        reused = [descent.source is not None for descent in trial.descents]
        if len(plan.problems) > 1:
            count = len(plan.problems)
            return record_of_problems(run_id, results, count, seeds, reused, goal, self._thresholds)
        return TrialRecord.build(
            run_id,
            results,
            self.cap,
            seeds,
            reused,
            goal,
            thresholds=self._thresholds,
            pruned=trial.pruned,
            worst=None if self.pruning is None else self.pruning.worst,
        )

    def _compare_with(self, number: int, record: TrialRecord, readings: Readings) -> None:
        """Let the pruner compare later trials with a finished one."""
        if self.pruning is not None:
            value = record.told(1)[0]
            self.pruning.add(number, FinishedReadings(record.status, value, readings))

    def _count(self, record: TrialRecord) -> None:
        """Let a finished trial affect the cap, the batch size, and what ends the sweep."""
        record.count(self.cap)
        self.batch_size.add(record)
        self.patience.add(record)
        self.failures.add(record)

    def _find_lost(self, numbers: Collection[int]) -> Collection[int]:
        """Return the trials that are no longer this worker's; a single worker keeps all."""
        return ()

    def _on_told(self, written: WrittenTrial) -> None:
        """Show a trial that the study was told, and make its runs available for reuse."""
        trial, record, run_ids = written
        if self.plan.tells_failures and record.reason and not self.progress.is_quiet:
            terminal.print_warning(failure_line(trial.asked.number, record))
        self.checkpoints.remove(trial.asked.number)
        rate = self.plan.learning_rate(trial.asked.trial.params)
        self.progress.add(record, progress_value(self.plan, record), rate)
        if self.cache is not None:
            for descent, run_id in zip(trial.descents, run_ids, strict=False):
                status = str(descent.result.status)
                self.cache.add(descent.experiment.signature, run_id, status)


def _in_words(numbers: Collection[int]) -> str:
    """Return the numbers of trials as a short phrase, however many they are."""
    first, *others = sorted(numbers)
    if not others:
        return f"trial {first}"
    if len(others) == others[-1] - first:
        return f"trials {first} to {others[-1]}"
    return f"{len(numbers)} trials from {first} on"
