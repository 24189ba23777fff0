"""Reruns as runs of their own in MLflow, linked by tags to what they repeat."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from gdexp.config import shortest_command
from gdexp.experiment import Experiment
from gdexp.reruns.reference import Reference
from gdexp.reruns.replay import Rerun
from gdexp.reruns.report import MOST_CAUSES, Outcome, as_json, counts
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
    run_display,
)

OF, VERDICT = "gdexp.rerun_of", "gdexp.rerun_verdict"
"""The run tags of a rerun: the id of its reference, and the verdict."""

AT_ONCE = 100
"""Runs that are written together."""


class Recorder:
    """Opens the run of a rerun before it is made, and writes it when it was.

    Args:
        store: that takes the runs; None records nothing.
        accept: the weakest verdict with exit status 0.

    Attributes:
        ids: the run id of each rerun that was written, by the `id` of its `Rerun`.
        said: where it stands, for a person.
    """

    def __init__(self, store: Store | None, accept: str) -> None:
        self._store = store
        self._accept = accept
        self.ids: dict[int, str] = {}
        self.said: list[tuple[str, str]] = []

    @contextmanager
    def one(self, reference: Reference, experiment: Experiment) -> Iterator[_One]:
        """The run of a single rerun, RUNNING while it is made."""
        run_id = None
        if self._store is not None:
            run_id = self._store.start(_header(reference, experiment, None))
            self.said.append(
                ("recorded", f"MLflow run {run_id} in {self._store.settings.display_uri}")
            )
        with self._kept(run_id):
            yield _One(self, run_id)

    @contextmanager
    def many(self, of: str | None, references: Sequence[Reference]) -> Iterator[_Many]:
        """The run that holds those of many reruns.

        Args:
            of: id of the sweep that is made again; None where they are of none.
            references: that are made again.
        """
        run_id = None
        if self._store is not None:
            tags = {OF: of} if of is not None else {}
            name = f"rerun of {len(references):,} runs" + (f" of sweep {of[:8]}" if of else "")
            run_id = self._store.start(RunHeader(name, "rerun", tags=tags))
            self.said.append(
                ("recorded", f"MLflow run {run_id} in {self._store.settings.display_uri}")
            )
        with self._kept(run_id):
            yield _Many(self, run_id)

    @contextmanager
    def _kept(self, run_id: str | None) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            if self._store is not None and run_id is not None:
                status = "FAILED" if isinstance(error, Exception) else "KILLED"
                self._store.abandon(run_id, status)
            raise

    def record(self, made: Rerun) -> Record:
        """What MLflow is given of one rerun."""
        said = as_json(made, self._accept)
        return descent_record(
            made.experiment,
            made.result,
            {**made.captured, "verdict.json": (json.dumps(said, indent=2) + "\n").encode()},
            {
                OF: made.reference.run_id,
                VERDICT: str(made.verdict.level),
                NOTE_TAG: _note(made),
                run_display.COLOUR_TAG: run_display.status_colour(str(made.result.status)),
            },
        )


class _One:
    def __init__(self, recorder: Recorder, run_id: str | None) -> None:
        self._recorder = recorder
        self._run_id = run_id

    def close(self, made: Rerun) -> None:
        """Write the rerun."""
        store = self._recorder._store
        if store is not None and self._run_id is not None:
            store.finish(self._run_id, self._recorder.record(made))
            self._recorder.ids[id(made)] = self._run_id


class _Many:
    def __init__(self, recorder: Recorder, run_id: str | None) -> None:
        self._recorder = recorder
        self._run_id = run_id

    def all(self, reruns: Iterable[Rerun]) -> list[Rerun]:
        """Write each rerun as it comes, some at a time; returns them all."""
        found: list[Rerun] = []
        waiting: list[Rerun] = []
        for made in reruns:
            found.append(made)
            waiting.append(made)
            if len(waiting) >= AT_ONCE:
                self._write(waiting)
                waiting = []
        self._write(waiting)
        return found

    def close(self, outcomes: Sequence[Outcome]) -> None:
        """Write what they came to together."""
        store = self._recorder._store
        if store is None or self._run_id is None:
            return
        found = counts(outcomes)
        said = ", ".join(f"{n:,} {word}" for word, n in found.items())
        metrics = {word.replace(" ", "_"): float(n) for word, n in found.items()}
        tags = {VERDICT: said, NOTE_TAG: f"**{said}**"}
        store.finish(self._run_id, Record(metrics=metrics, tags=tags))

    def _write(self, reruns: Sequence[Rerun]) -> None:
        store = self._recorder._store
        if store is None:
            return
        opened: list[tuple[PlannedRun, Record]] = []
        for made in reruns:
            header = _header(made.reference, made.experiment, self._run_id)
            pending = store.prepare(header)
            self._recorder.ids[id(made)] = pending.run_id
            opened.append((pending, self._recorder.record(made)))
        store.write(opened)


def _header(reference: Reference, experiment: Experiment, parent: str | None) -> RunHeader:
    name = f"rerun of {reference.run_id[:8]}, {experiment.problem.name} {experiment.rule.name}"
    return RunHeader(name, "rerun", parent, {OF: reference.run_id})


def _note(made: Rerun) -> str:
    """The run's description in Markdown."""
    reference = made.reference
    reasons = [f"- {escape_markdown(reason)}" for reason in made.verdict.reasons]
    why = [f"- {escape_markdown(str(cause))}" for cause in made.verdict.causes[:MOST_CAUSES]]
    lines = [f"**{made.verdict.level}**: a rerun of `{reference.run_id}`.", "", *reasons]
    if why:
        lines += ["", "What differs between the two places:", "", *why]
    lines += ["", "Compare again with", "", code_block(reference.command())]
    command = shortest_command(reference.config)
    if len(command) <= MOST_COMMAND:
        lines += ["", "Run the configuration afresh with", "", code_block(command)]
    return "\n".join(lines)
