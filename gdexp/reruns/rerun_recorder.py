"""Record reruns in MLflow as runs of their own, linked by tags to the runs that they repeat."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from gdexp.config import shortest_command
from gdexp.core import format_counts, machine, process_start
from gdexp.experiment import PROGRAM, Experiment
from gdexp.reruns.reference import Reference
from gdexp.reruns.replay import Rerun
from gdexp.reruns.report import MOST_CAUSES, Outcome, outcome_json, verdict_counts
from gdexp.tracking import (
    MOST_COMMAND,
    NOTE_TAG,
    PlannedRun,
    Record,
    RunHeader,
    Store,
    code_block,
    descent_record,
    escape_markdown,
    json_bytes,
    run_display,
)

RERUN_OF_TAG, VERDICT_TAG = "gdexp.rerun_of", "gdexp.rerun_verdict"
"""The tags of a rerun: the run id of its reference, and the verdict."""

PROCESS_TAG = "gdexp.process"
"""The tag of a rerun that names the process which makes it."""

RUNS_PER_WRITE = 100
"""How many runs are written together."""


class RerunRecorder:
    """Starts the MLflow run of a rerun, and writes the rerun to it when it is done.

    Args:
        store: the store to write to; None records nothing.
        accept: the weakest verdict with exit status 0.

    Attributes:
        run_ids: the run id of each recorded rerun, by the `id()` of its `Rerun`.
        facts: the lines for the console that name the run.
    """

    def __init__(self, store: Store | None, accept: str) -> None:
        self._store = store
        self._accept = accept
        self.run_ids: dict[int, str] = {}
        self.facts: list[tuple[str, str]] = []

    @contextmanager
    def single(self, reference: Reference, experiment: Experiment) -> Iterator[_SingleRecording]:
        """Record one rerun; its run is RUNNING inside the `with` block."""
        run_id = None
        if self._store is not None:
            header = _header(reference, experiment, None)
            tags = {**header.tags, PROCESS_TAG: _process()}
            run_id = self._store.start(replace(header, tags=tags))
            self.facts.append(
                ("recorded", f"MLflow run {run_id} in {self._store.settings.display_uri}")
            )
        with self._abandon_on_error(run_id):
            yield _SingleRecording(self, run_id)

    @contextmanager
    def group(
        self, sweep: str | None, references: Sequence[Reference]
    ) -> Iterator[_GroupRecording]:
        """Record many reruns as children of one run, which is RUNNING inside the `with` block.

        Args:
            sweep: the run id of the repeated sweep; None if the runs belong to no sweep.
            references: the references of the reruns.
        """
        run_id = None
        if self._store is not None:
            tags = {PROCESS_TAG: _process()}
            if sweep is not None:
                tags[RERUN_OF_TAG] = sweep
            of_sweep = f" of sweep {sweep[:8]}" if sweep else ""
            name = f"rerun of {len(references):,} runs{of_sweep}"
            run_id = self._store.start(RunHeader(name, "rerun", tags=tags))
            self.facts.append(
                ("recorded", f"MLflow run {run_id} in {self._store.settings.display_uri}")
            )
        with self._abandon_on_error(run_id):
            yield _GroupRecording(self, run_id)

    @contextmanager
    def _abandon_on_error(self, run_id: str | None) -> Iterator[None]:
        """Set the run to FAILED or KILLED if the block raises."""
        try:
            yield
        except BaseException as error:
            if self._store is not None and run_id is not None:
                status = "FAILED" if isinstance(error, Exception) else "KILLED"
                self._store.abandon(run_id, status)
            raise

    def record(self, rerun: Rerun) -> Record:
        """Return the MLflow record of one rerun."""
        verdict = outcome_json(rerun, self._accept)
        return descent_record(
            rerun.experiment,
            rerun.result,
            {**rerun.captured, "verdict.json": json_bytes(verdict)},
            {
                RERUN_OF_TAG: rerun.reference.run_id,
                VERDICT_TAG: str(rerun.verdict.level),
                NOTE_TAG: _note(rerun),
                run_display.COLOUR_TAG: run_display.status_colour(str(rerun.result.status)),
            },
        )


class _SingleRecording:
    """The run of one rerun."""

    def __init__(self, recorder: RerunRecorder, run_id: str | None) -> None:
        self._recorder = recorder
        self._run_id = run_id

    def finish(self, rerun: Rerun) -> None:
        """Write the rerun and end its run."""
        store = self._recorder._store
        if store is not None and self._run_id is not None:
            store.finish(self._run_id, self._recorder.record(rerun))
            self._recorder.run_ids[id(rerun)] = self._run_id


class _GroupRecording:
    """The parent run of many reruns."""

    def __init__(self, recorder: RerunRecorder, run_id: str | None) -> None:
        self._recorder = recorder
        self._run_id = run_id
        store = recorder._store
        self._programs = None if store is None or run_id is None else store.programs(run_id)

    def write_all(self, reruns: Iterable[Rerun]) -> list[Rerun]:
        """Write reruns as they are made, `RUNS_PER_WRITE` at a time; return all of them."""
        written: list[Rerun] = []
        waiting: list[Rerun] = []
        for rerun in reruns:
            written.append(rerun)
            waiting.append(rerun)
            if len(waiting) >= RUNS_PER_WRITE:
                self._write(waiting)
                waiting = []
        self._write(waiting)
        return written

    def finish(self, outcomes: Sequence[Outcome]) -> None:
        """Write the count of each verdict and end the run."""
        store = self._recorder._store
        if store is None or self._run_id is None:
            return
        found = verdict_counts(outcomes)
        summary = format_counts(found)
        metrics = {word.replace(" ", "_"): float(n) for word, n in found.items()}
        tags = {VERDICT_TAG: summary, NOTE_TAG: f"**{summary}**"}
        store.finish(self._run_id, Record(metrics=metrics, tags=tags))

    def _write(self, reruns: Sequence[Rerun]) -> None:
        store = self._recorder._store
        if store is None:
            return
        runs: list[tuple[PlannedRun, Record]] = []
        for rerun in reruns:
            header = _header(rerun.reference, rerun.experiment, self._run_id)
            pending = store.prepare(header)
            self._recorder.run_ids[id(rerun)] = pending.run_id
            runs.append((pending, self._recorder.record(rerun).without([PROGRAM])))
            if self._programs is not None and rerun.result.program is not None:
                self._programs.add(rerun.result.program)
        if self._programs is not None:
            self._programs.write()
        store.write(runs)


def end_killed_reruns(store: Store) -> None:
    """Set the runs of reruns whose process was killed to KILLED; they would stay RUNNING.

    Only those of this machine can be told from reruns that still run.
    """
    for run in store.running("rerun"):
        place, _, process = run.tags.get(PROCESS_TAG, "").partition(" ")
        pid, _, began = process.partition(" ")
        if place == _machine() and pid.isdecimal() and process_start(int(pid)) != began:
            store.end(run.run_id, "KILLED")


def _process() -> str:
    """Return what tells this process from all others: its machine, its id and its start."""
    return f"{_machine()} {os.getpid()} {process_start(os.getpid())}"


def _machine() -> str:
    return hashlib.sha256(machine().encode()).hexdigest()[:16]


def _header(reference: Reference, experiment: Experiment, parent: str | None) -> RunHeader:
    name = f"rerun of {reference.run_id[:8]}, {experiment.problem.name} {experiment.rule.name}"
    return RunHeader(name, "rerun", parent, {RERUN_OF_TAG: reference.run_id})


def _note(rerun: Rerun) -> str:
    """Return the description of the run, in Markdown."""
    reference = rerun.reference
    reasons = [f"- {escape_markdown(reason)}" for reason in rerun.verdict.reasons]
    why = [f"- {escape_markdown(str(cause))}" for cause in rerun.verdict.causes[:MOST_CAUSES]]
    lines = [f"**{rerun.verdict.level}**: a rerun of `{reference.run_id}`.", "", *reasons]
    if rerun.program is not None:
        lines += ["", f"Its program was {escape_markdown(rerun.program.note)}."]
    if why:
        lines += ["", "What differs between the two places:", "", *why]
    lines += ["", "Compare again with", "", code_block(reference.command())]
    command = shortest_command(reference.config)
    if len(command) <= MOST_COMMAND:
        lines += ["", "Run the configuration afresh with", "", code_block(command)]
    return "\n".join(lines)
