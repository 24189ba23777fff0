"""Trials recorded as MLflow runs: one run, and with several seeds a child run for each seed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from gdexp.config import Config
from gdexp.experiment import Settings, environment, process_settings, provenance_files
from gdexp.runs import PARAMS_TAG
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import TrialRecord
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial, FinishedDescent
from gdexp.sweeps.worker.seed_medians import median_curves, median_trace
from gdexp.tracking import (
    NOTE_TAG,
    PlannedRun,
    Record,
    RunHeader,
    Store,
    config_yaml,
    descent_note,
    descent_record,
    json_bytes,
    params,
    run_display,
)


@dataclass(frozen=True)
class TrialRuns:
    """The runs of a trial, reserved before its descents.

    Attributes:
        trial: a child of the sweep's run.
        seeds: children of the trial's run, one for each descent; none where there is one seed.
    """

    trial: PlannedRun
    seeds: Sequence[PlannedRun]

    @property
    def in_order(self) -> list[PlannedRun]:
        """All runs, the trial's last: once it is finished, all are."""
        return [*self.seeds, self.trial]


class TrialRecorder:
    """Reserves the runs of trials, and makes their records.

    Args:
        plan: of the sweep.
        store: that takes the runs.
        parent: the run id of the sweep.
        tags: of every run, beside those of its trial.

    Attributes:
        programs: of the descents, stored once for all of the sweep's trials.
    """

    def __init__(
        self, plan: Plan, store: Store, parent: str, tags: Mapping[str, str] | None = None
    ) -> None:
        self._own_tags = dict(tags or {})
        self._settings: Settings | None = None
        self._plan = plan
        self._store = store
        self._parent = parent
        self.programs = store.programs(parent)

    def read_settings(self) -> None:
        """Read the settings of the process, which are the same for all trials written together."""
        self._settings = process_settings()

    def reserve(self, asked: AskedTrial) -> TrialRuns:
        """Reserve the runs of a trial."""
        first, *others = self._headers(asked)
        trial = self._store.prepare(first(self._parent))
        return TrialRuns(trial, [self._store.prepare(each(trial.run_id)) for each in others])

    def show(self, runs: TrialRuns) -> None:
        """Let the runs be seen in MLflow while their descents go on."""
        for run in (runs.trial, *runs.seeds):
            self._store.show(run)

    def abandon(self, runs: TrialRuns, status: str) -> None:
        """Set the status of runs that were not finished."""
        for run in runs.in_order:
            self._store.abandon(run, status)

    def drop(self, run: PlannedRun) -> None:
        """Set the status of the run of a seed that has no result."""
        self._store.abandon(run, "KILLED")

    def records(
        self,
        runs: TrialRuns,
        trial: EvaluatedTrial,
        record: TrialRecord,
        adopted: bool = False,
    ) -> list[tuple[PlannedRun, Record]]:
        """Return the records of a trial's runs.

        Args:
            runs: of the trial.
            trial: with its descents.
            record: that the study keeps of it.
            adopted: whether its own code started the run, and wrote what it holds.
        """
        made = self._records(runs, trial, record)
        stored = trial.asked.trial.params
        kept = [(run, self._plan.space.recorded(each, stored)) for run, each in made]
        return [self._beside_own(trial, record, *kept[-1])] if adopted else kept

    def _records(
        self, runs: TrialRuns, trial: EvaluatedTrial, record: TrialRecord
    ) -> list[tuple[PlannedRun, Record]]:
        number, parameters = trial.asked.number, self._parameters(trial.asked)
        if not runs.seeds and trial.failure is None:
            return [self._descent(runs.trial, trial.descents[0], number, parameters)]
        written = [
            self._descent(run, descent, number, parameters)
            for run, descent in zip(runs.seeds, trial.descents, strict=False)
        ]
        if trial.failure is None:
            together = _summary(trial, record, self._problem_names(trial.asked))
        else:
            composed = self._plan.trial_config(trial.asked.trial.params)
            together = _failed(self._plan.recorded_config(composed), trial, record)
        together = _with_chart_values(together, record.status, number, parameters)
        return [*written, (runs.trial, together)]

    def _descent(
        self, run: PlannedRun, descent: FinishedDescent, number: int, parameters: Mapping[str, Any]
    ) -> tuple[PlannedRun, Record]:
        """Return the record of one descent."""
        config, settings = descent.experiment.config, self._settings
        program = descent.result.program
        made = provenance_files(config, descent.grouping, False, settings, program)
        if program is not None:
            self.programs.add(program)
        record = descent_record(descent.experiment, descent.result, made, self._tags(run, descent))
        return run, _with_chart_values(record, str(descent.result.status), number, parameters)

    def _beside_own(
        self, trial: EvaluatedTrial, record: TrialRecord, run: PlannedRun, made: Record
    ) -> tuple[PlannedRun, Record]:
        """Return what a run that the trial's own code started gets beside what it has.

        What it has stays: its params, metrics, files, description and colour. gdexp's params are
        one tag.
        """
        known = self._store.contents(run.run_id)
        first, *_ = self._headers(trial.asked)
        header = first(self._parent)
        told = zip(self._plan.objectives, record.told(len(self._plan.objectives)), strict=True)
        numbers = {**made.metrics, **{each.name: value for each, value in told}}
        files = made.sealed()
        tags = {key: text for key, text in made.tags.items() if not key.startswith("mlflow.")}
        return run, Record(
            metrics={
                k: v for k, v in numbers.items() if math.isfinite(v) and k not in known.metrics
            },
            tags={
                **header.tags,
                "gdexp.kind": header.kind,
                "mlflow.parentRunId": self._parent,
                PARAMS_TAG: json.dumps(made.params),
                **tags,
            },
            artifacts={}
            if known.files & {each.partition("/")[0] for each in files}
            else made.artifacts,
        )

    def _headers(self, asked: AskedTrial) -> list[Callable[[str], RunHeader]]:
        """Return what makes the openings of a trial's runs from the id of their parent run."""
        of_trial = {"gdexp.trial": str(asked.number), "gdexp.study": self._plan.name}
        tags = {**of_trial, **self._own_tags}
        name = run_display.trial_title(asked.number, self._parameters(asked))
        several = asked.experiments if self._plan.descents > 1 else []
        names = self._problem_names(asked)
        return [
            lambda parent: RunHeader(name, "trial", parent, tags),
            *(
                partial(_seed_header, name, tags, each.seed, problem)
                for each, problem in zip(several, names, strict=False)
            ),
        ]

    def _problem_names(self, asked: AskedTrial) -> list[str]:
        """Return the name of each descent's problem; empty where all have the same."""
        plan = self._plan
        if not plan.problems:
            return [""] * len(asked.experiments)
        return [each.name for each in plan.problems for _ in range(plan.settings.trial_seeds)]

    def _tags(self, run: PlannedRun, descent: FinishedDescent) -> dict[str, str]:
        """Return the tags of a descent: its description, and the run that it was reused from."""
        link = self._store.loss_link(run.run_id)
        tags = {NOTE_TAG: descent_note(descent.experiment, descent.result, run.run_id, link)}
        return tags if descent.source is None else {**tags, "gdexp.reused_from": descent.source}

    def _parameters(self, asked: AskedTrial) -> Mapping[str, Any]:
        return self._plan.space.by_key(asked.trial.params)


def _seed_header(
    name: str, tags: Mapping[str, str], seed: int, problem: str, parent: str
) -> RunHeader:
    own = {"gdexp.seed": str(seed), **({"gdexp.problem": problem} if problem else {})}
    words = [name, *([problem] if problem else []), f"seed={seed}"]
    return RunHeader(" ".join(words), "seed", parent, {**tags, **own})


def _with_chart_values(
    record: Record, status: str, number: int, parameters: Mapping[str, Any]
) -> Record:
    """Add what MLflow's charts need: metrics on log scales, and a colour for the status."""
    return replace(
        record,
        metrics={**record.metrics, **run_display.chart_metrics(parameters, record.metrics)},
        tags={**record.tags, run_display.COLOUR_TAG: run_display.status_colour(status, number)},
    )


def _failed(composed: Config, trial: EvaluatedTrial, record: TrialRecord) -> Record:
    """Return the record of a trial that failed: its config, its reason and the traceback."""
    artifacts = {
        "config.yaml": config_yaml(composed),
        **provenance_files(composed, whole=False),
    }
    if trial.failure is not None and trial.failure.traceback:
        artifacts["traceback.txt"] = trial.failure.traceback.encode(errors="replace")
    return Record(
        params=params(composed),
        metrics={"hitting_time": record.hitting_time},
        tags={"gdexp.status": record.status, "gdexp.reason": record.reason},
        artifacts=artifacts,
    )


def _summary(trial: EvaluatedTrial, record: TrialRecord, problems: Sequence[str]) -> Record:
    """Return the record of a trial of several descents, which sums them up."""
    results = [descent.result for descent in trial.descents]
    first = trial.descents[0].experiment
    goal = first.stopping.continue_to
    seeds = dict.fromkeys(each.seed for each in trial.asked.experiments)
    composed = {**first.config, "seed": list(seeds)}
    if any(problems):
        composed["problem"] = {"name": "problems", "names": list(dict.fromkeys(problems))}
    rows = [
        {
            **({"problem": problem} if problem else {}),
            "seed": descent.experiment.seed,
            "status": str(descent.result.status),
            "iterations": descent.result.iterations,
            "hitting_time": descent.result.hitting_time,
            "final_loss": descent.result.final_loss,
        }
        for descent, problem in zip(trial.descents, problems, strict=False)
    ]
    mean = "geometric_mean" if any(problems) else "expected_running_time"
    return Record(
        params=params(composed),
        metrics={
            mean: record.hitting_time,
            "iterations": record.iterations,
            **({} if goal is None else {"updates": record.trace_updates}),
            "hitting_time": record.hitting_time,
            "successes": record.successes,
            "steps": record.trace_updates,
            "final_loss": record.final_loss,
            "min_loss": min(result.min_loss for result in results),
            "max_loss": max(result.max_loss for result in results),
            "seconds": sum(result.seconds for result in results),
        },
        trace=median_trace(results),
        curves=median_curves(results),
        tags={"gdexp.status": record.status},
        artifacts={
            "config.yaml": config_yaml(composed),
            "environment.json": json_bytes(environment()),
            "seeds.json": json_bytes(rows),
        },
    )
