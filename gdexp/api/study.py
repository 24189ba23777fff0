"""A sweep as an object: the best trial, the tables, the study and the run that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gdexp.core import format_count, format_counts, format_value
from gdexp.display import notebook
from gdexp.runs import Runs, load_runs
from gdexp.sweeps import (
    FinishedSweep,
    TrialRecord,
    load_study,
    sweep_pictures,
    threshold_cells,
    trial_cells,
)

if TYPE_CHECKING:
    import optuna
    import pandas as pd  # type: ignore[import-untyped]


@dataclass(frozen=True)
class StudyTrial:
    """One trial of a study.

    Attributes:
        number: Optuna's number of it.
        params: the swept keys with their values.
        status: why it ended, one of `Status`.
        iterations: that it needed; the expected number where it has several seeds.
        hitting_time: the continuous refinement of iterations.
        final_loss: the loss at its end; the mean of several seeds.
        threshold: of its stopping rule.
        run_id: of its run in MLflow.
    """

    number: int
    params: Mapping[str, Any]
    status: str
    iterations: float
    hitting_time: float
    final_loss: float
    threshold: float
    run_id: str


class Study:
    """A sweep that has ended, or was continued to its end.

    Attributes:
        name: of the study in Optuna's storage.
        mlflow_run_id: the id of the sweep's own run; its trials are the children.
    """

    def __init__(self, finished: FinishedSweep) -> None:
        plan = finished.plan
        self._finished = finished
        # Absolute now: the caller may go to another folder before they are used.
        self._settings = replace(plan.settings, storage=plan.storage_server or str(plan.journal))
        self._uri = plan.tracking.mlflow_uri
        self.name = finished.plan.name
        self.mlflow_run_id = finished.parent

    @property
    def best(self) -> StudyTrial | None:
        """The best trial; None where none converged."""
        found = self._finished.result.best_trial
        return None if found is None else _trial(*found)

    @property
    def trials(self) -> Sequence[StudyTrial]:
        """The finished trials, in their order."""
        result = self._finished.result
        return [_trial(*pair) for pair in zip(result.trials, result.records, strict=True)]

    @cached_property
    def thresholds(self) -> pd.DataFrame:
        """The fewest iterations to every threshold, from all traces together.

        Its columns are those of the sweep's artifact `thresholds.csv`.
        """
        frame = _frame(threshold_cells(self._finished.plan, self._finished.result.thresholds))
        return frame.astype({"trial": "Int64"})

    def frame(self) -> pd.DataFrame:
        """Return a row per trial, in their order; the columns are those of `trials.csv`."""
        plan, result = self._finished.plan, self._finished.result
        pairs = zip(result.trials, result.records, strict=True)
        return _frame(trial_cells(pairs, result.keys, result.added, plan.told_objectives))

    @cached_property
    def optuna(self) -> optuna.Study:
        """The study as Optuna's object, for its samplers, plots and importances."""
        return load_study(self._settings)

    @cached_property
    def runs(self) -> Runs:
        """The descents as tracked runs, with their traces and tensors."""
        experiment = self._finished.plan.tracking.experiment
        return load_runs(self.mlflow_run_id, uri=self._uri, experiment=experiment)

    def _repr_html_(self) -> str:
        """Return the answer, the table of thresholds and the chart of learning rates."""
        plan, result = self._finished.plan, self._finished.result
        best = self.best
        answer = [("best", "none converged")]
        if best is not None:
            settings = ", ".join(f"{k} = {format_value(v)}" for k, v in best.params.items())
            answer = [("best", format_count(best.iterations, "iteration")), ("with", settings)]
            answer.append(("MLflow run", best.run_id))
        shown = [("study", self.name), *answer, ("trials", format_counts(result.counts))]
        names, *rows = threshold_cells(plan, result.thresholds)
        kept = [i for i, name in enumerate(names) if name != "run_id"]
        table = notebook.table([names[i] for i in kept], [[row[i] for i in kept] for row in rows])
        drawn = sweep_pictures(plan, result)
        name = "iterations_by_lr.png" if "iterations_by_lr.png" in drawn else "fewest.png"
        picture = notebook.image(drawn[name], name.removesuffix(".png")) if drawn else ""
        return notebook.facts(shown) + table + picture

    def __len__(self) -> int:
        return len(self._finished.result.trials)

    def __repr__(self) -> str:
        best = self.best
        found = "none converged" if best is None else f"best {best.iterations:g} iterations"
        return f"<study {self.name}: {len(self):,} trials, {found}>"


def _trial(trial: optuna.trial.FrozenTrial, record: TrialRecord) -> StudyTrial:
    return StudyTrial(
        number=trial.number,
        params=dict(trial.params),
        status=record.status,
        iterations=record.iterations,
        hitting_time=record.hitting_time,
        final_loss=record.final_loss,
        threshold=record.threshold,
        run_id=record.run_id,
    )


def _frame(rows: Sequence[Sequence[object]]) -> pd.DataFrame:
    """Return a table whose first row has the names of the columns."""
    import pandas as pd

    return pd.DataFrame(rows[1:], columns=rows[0])
