"""Writing finished trials: to the study and MLflow first, then the study is told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from gdexp.experiment import Experiment
from gdexp.sweeps.failure import Failure
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.pruning import Readings
from gdexp.sweeps.study import (
    PARENT,
    READINGS,
    RECORD,
    StudyCode,
    TrialRecord,
    grouped_writes,
    set_attributes,
    tell_all,
)
from gdexp.sweeps.thresholds import study_thresholds
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial
from gdexp.sweeps.worker.no_records import NoRecorder
from gdexp.sweeps.worker.row_records import RowRecorder, row_writer
from gdexp.sweeps.worker.run_records import TrialRecorder, TrialRuns
from gdexp.sweeps.worker.run_writer import Runs, RunWriter
from gdexp.tracking import LiveCurves, Store

if TYPE_CHECKING:
    from optuna import Study

MAX_TRIALS = 1024
"""Trials that are asked, written or told in one change of the study, which is locked meanwhile."""


class WrittenTrial(NamedTuple):
    """A trial whose runs are in MLflow.

    Attributes:
        trial: with its descents.
        record: that the study keeps of it.
        run_ids: of its descents; none where they are rows.
    """

    trial: EvaluatedTrial
    record: TrialRecord
    run_ids: list[str]


class TrialWriter(AbstractContextManager["TrialWriter"]):
    """Writes a worker's trials.

    The order of writes for each trial: its record into the study, its runs into MLflow, and the
    tell last. So a finished run always has its record in the study.

    Args:
        plan: of the sweep.
        study: that is told.
        store: that takes the runs.
        find_lost: returns which of these trials are no longer the worker's.
        on_told: called with each trial that the study was told.

    Attributes:
        unrecorded: numbers of the trials that were begun and not yet told.
    """

    def __init__(
        self,
        plan: Plan,
        study: Study,
        store: Store,
        find_lost: Callable[[Collection[int]], Collection[int]],
        on_told: Callable[[WrittenTrial], None],
    ) -> None:
        parent = str(study.user_attrs[PARENT])
        code = StudyCode(study, plan)
        tags, self._marks = code.tags(), code.attributes()
        self._store = store
        self._study, self._find_lost, self._on_told = study, find_lost, on_told
        self._has_runs = plan.tracks and plan.tracking.best is None
        self._recorder, write = _recorder(plan, store, parent, tags)
        self._writer = RunWriter[WrittenTrial](write, in_background=store.settings.is_server)
        self._runs: dict[int, TrialRuns] = {}
        self._shows = not plan.tells_failures
        self._adopted: set[int] = set()
        self._ready: list[tuple[EvaluatedTrial, TrialRecord]] = []
        self.unrecorded: set[int] = set()

    def __exit__(self, *ended: object) -> None:
        self._writer.__exit__(*ended)

    @property
    def ready(self) -> int:
        """How many trials wait to be written."""
        return len(self._ready)

    def begin(self, trials: Sequence[AskedTrial]) -> None:
        """Reserve the runs of trials before their descents."""
        self.unrecorded |= {asked.number for asked in trials}
        for asked in trials:
            self._runs[asked.number] = self._recorder.reserve(asked)

    def run_id(self, number: int) -> str:
        """Return the id of a trial's run."""
        return self._runs[number].trial.run_id

    def adopt(self, number: int, run_id: str) -> None:
        """Let a run that the trial's own code started be that of the trial.

        Only a run in the sweep's store can be; one elsewhere stays as it is.
        """
        if self._has_runs and self._store.holds(run_id):
            self._runs[number] = TrialRuns(self._store.existing(run_id), [])
            self._adopted.add(number)

    def show(self, trials: Sequence[AskedTrial]) -> None:
        """Let the runs of these trials be seen in MLflow as RUNNING."""
        if not self._shows:  # an application may start a run of its own, and a trial has one
            return
        for asked in trials:
            self._recorder.show(self._runs[asked.number])

    def curves(self, asked: AskedTrial, experiment: Experiment) -> LiveCurves | None:
        """Return what writes the curves of a training while it runs; None if it has no run.

        Args:
            asked: its trial.
            experiment: one of the trial's.
        """
        if not self._has_runs or not self._shows:
            return None
        runs = self._runs[asked.number]
        place = next(i for i, each in enumerate(asked.experiments) if each is experiment)
        run = runs.seeds[place] if runs.seeds else runs.trial
        return LiveCurves(self._store, run, experiment.watched_name is None)

    def add(self, trial: EvaluatedTrial, record: TrialRecord) -> None:
        """Add a trial that the next `write` writes."""
        self._ready.append((trial, record))

    def write(self) -> None:
        """Write the trials that were added, and tell the study of those whose runs are written."""
        if not self._ready:
            return
        with grouped_writes(self._study):
            numbers = [trial.asked.number for trial, _ in self._ready]
            lost = set(self._find_lost(numbers))
            # A dashboard may have told the study something else of a trial: it is lost too.
            lost |= set_attributes(
                self._study,
                {
                    trial.asked.number: {
                        RECORD: record.as_attribute(),
                        **_stored(trial.readings),
                        **self._marks,
                    }
                    for trial, record in self._ready
                    if trial.asked.number not in lost
                },
            )
            kept = [each for each in self._ready if each[0].asked.number not in lost]
            for number in lost:
                self.unrecorded.discard(number)
                self._recorder.abandon(self._runs.pop(number), "KILLED")
        runs, written = [], []
        self._recorder.read_settings()
        for trial, record in kept:
            own = self._runs.pop(trial.asked.number)
            adopted = trial.asked.number in self._adopted
            runs += self._recorder.records(own, trial, record, adopted)
            for run in own.seeds[len(trial.descents) :] if trial.failure is not None else []:
                self._recorder.drop(run)
            descents = (own.seeds or [own.trial])[: len(trial.descents)] if self._has_runs else []
            written.append(WrittenTrial(trial, record, [run.run_id for run in descents]))
        self._ready = []
        self._tell(self._writer.write(runs, written))

    def finish(self) -> None:
        """Wait until all runs are written, and tell the study of them."""
        self._tell(self._writer.finish())

    def abandon(self, status: str) -> None:
        """Set the status of the runs of trials that are not written."""
        for runs in self._runs.values():
            self._recorder.abandon(runs, status)

    def _tell(self, trials: Sequence[WrittenTrial]) -> None:
        if not trials:
            return
        tell_all(self._study, {each.trial.asked.number: each.record for each in trials})
        for each in trials:
            self.unrecorded.discard(each.trial.asked.number)
            self._on_told(each)


def failed_trial_runs(
    plan: Plan, study: Study, store: Store, asked: AskedTrial
) -> tuple[TrialRecord, Callable[[], None]]:
    """Return the record of a trial that was given up, and what writes its run.

    Args:
        plan: of the sweep.
        study: of the sweep.
        store: that takes the run.
        asked: the trial, with its failure and no experiments.
    """
    parent, tags = str(study.user_attrs[PARENT]), StudyCode(study, plan).tags()
    recorder, write = _recorder(plan, store, parent, tags)
    runs = recorder.reserve(asked)
    failure = asked.failure or Failure("")
    stopping = plan.trial_config(asked.trial.params)["stopping"]
    record = TrialRecord.of_failure(
        runs.trial.run_id,
        failure,
        stopping,
        [],
        plan.told_objectives if plan.tells_failures else (),
        study_thresholds(plan),
        penalised=not plan.tells_failures,
    )
    evaluated = EvaluatedTrial(asked, failure=failure)
    return record, lambda: write(recorder.records(runs, evaluated, record))


def _recorder(
    plan: Plan, store: Store, parent: str, tags: Mapping[str, str]
) -> tuple[TrialRecorder, Callable[[Runs], None]]:
    """Return what makes the records of trials, and what writes them."""
    if not plan.tracks:
        return NoRecorder(plan, store, parent), lambda runs: None
    of_kind = TrialRecorder if plan.tracking.best is None else RowRecorder
    recorder = of_kind(plan, store, parent, tags)
    write_runs: Callable[[Runs], None] = store.write
    if plan.tracking.best is not None:
        write_runs = row_writer(store, parent)

    def write(runs: Runs) -> None:
        recorder.programs.write()
        write_runs(runs)

    return recorder, write


def _stored(readings: Readings) -> dict[str, object]:
    """Return the attribute that holds readings; nothing where there are none."""
    if not readings:
        return {}
    return {READINGS: [[each.step for each in readings], [each.value for each in readings]]}
