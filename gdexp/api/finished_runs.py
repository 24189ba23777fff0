"""`gdexp.rerun` and `gdexp.compare`: what is done with finished runs, from Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdexp.api.caller import called
from gdexp.api.object_config import ObjectConfig, problem_config
from gdexp.api.rule_config import optimizer_config
from gdexp.api.study import Study
from gdexp.cli import RerunSettings, make_again
from gdexp.comparison import Comparison, differences_table, html_page, make_pictures, summary_lines
from gdexp.config import import_paths, optimizer_paths
from gdexp.core import BadInput, giving, is_given, user_code
from gdexp.descent import ITERATIONS, THRESHOLDS, Result
from gdexp.display import notebook
from gdexp.reruns import Rerun, load_references, select_runs
from gdexp.runs import RunLoader, Runs, TrackedRun, best_runs
from gdexp.tracking import StoreLocation, tracking_settings

if TYPE_CHECKING:
    from gdexp.reruns import Outcome

MOST_COMPARED = 2_000
"""The most runs that are compared: every trace of them is read."""

Named = str | TrackedRun | Result
"""A run: its id or the first digits, as it was loaded, or a recorded result."""


def rerun(
    run: Named | None = None,
    *,
    problem: object = None,
    optimizer: object = None,
    tracking: StoreLocation | None = None,
    experiment: str = "gdexp",
    trust: Sequence[str] = (),
    ulps: int = 16,
    restore: bool = True,
    record: bool = True,
) -> Rerun:
    """Make a tracked run again and compare it with the record, bit for bit.

    Args:
        run: the run, or a sweep for its best trial; None: the newest of both.
        problem: of a run whose problem was an object without an import path: that object.
        optimizer: the same of its update rule.
        tracking: the file or address of MLflow's store; None: as of `sweep`.
        experiment: the MLflow experiment.
        trust: import paths of your own code that the run names and that may be imported.
        ulps: units in the last place that two numbers may be apart to be called close.
        restore: whether it runs with the thread count of the record.
        record: whether the rerun is tracked too.

    Returns:
        Its `verdict.level` is `identical`, `close`, `same outcome` or `different`;
        `verdict.reasons` and `verdict.causes` say why, `result` holds the new descent.

    Raises:
        BadInput: no such run, or an object that is missing or not the one of the run.
        NoReference: the run left nothing to compare with.
        DamagedReference: its files are not what its manifest says.
        StorageFailed: the store cannot be read or written.
    """
    name = _run_id(run)
    settings = RerunSettings(run=name, ulps=ulps, restore=restore, record=record)
    store = tracking_settings(tracking, experiment)
    with called():
        given = [] if problem is None else [("problem", problem_config(problem))]
        given += [] if optimizer is None else [("optimizer", optimizer_config(optimizer))]
        stored: Mapping[str, Any] = {}
        if given:
            found = load_references(select_runs(name, store, "run")[0])
            stored = getattr(found[0], "config", {})
        objects, allowed = _for_stored(stored, given)
        with giving(objects):
            outcomes = make_again(settings, store, [*trust, *allowed])
    return _only(outcomes)


def compare(
    runs: Study | Runs | Named | Sequence[Named] | None = None,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    tracking: StoreLocation | None = None,
    experiment: str = "gdexp",
    cost: str = ITERATIONS,
) -> RunComparison:
    """Compare tracked runs: what differs, and the iterations to each threshold.

    Args:
        runs: a study, loaded runs, an id, or a list of ids, runs and recorded results; a sweep's
            id stands for its trials. None: the newest sweep or run.
        thresholds: at which hitting times are read.
        tracking: the file or address of MLflow's store; None: as of `sweep`.
        experiment: the MLflow experiment.
        cost: what hitting times are in: iterations, gradients, evaluations or seconds.

    Raises:
        BadInput: no such run, nothing to compare, or a run has not recorded the cost.
        StorageFailed: the store cannot be read.
    """
    with called():
        if isinstance(runs, Study):
            found = runs.runs
        elif isinstance(runs, Runs):
            found = runs
        else:
            loader = RunLoader(tracking_settings(tracking, experiment))
            found = _loaded(loader, runs)
        made = Comparison.of(best_runs(found, MOST_COMPARED), thresholds, cost)
        return RunComparison(**{each.name: getattr(made, each.name) for each in fields(made)})


class RunComparison(Comparison):
    """A comparison of tracked runs."""

    def report(self, path: str | Path) -> Path:
        """Write the report, one HTML file that needs no network; return its path."""
        place = Path(path)
        place.write_text(html_page(self, make_pictures(self)), encoding="utf-8")
        return place

    def frame(self) -> Any:  # noqa: ANN401 (a pandas frame)
        """Return a row per run: the columns of `load_runs(…).frame()`."""
        return Runs(self.runs, self.sweep).frame()

    def _repr_html_(self) -> str:
        """Return the answer and what differs, for a notebook."""
        table = differences_table(self, 10)
        shown = notebook.table(table.headings, table.rows)
        return notebook.facts(summary_lines(self)) + shown

    def __repr__(self) -> str:
        return f"<comparison of {len(self.runs):,} runs: {dict(summary_lines(self)).get('best')}>"


def _loaded(loader: RunLoader, runs: Named | Sequence[Named] | None) -> Runs:
    """Return the runs that are named, those of a list in its order."""
    if runs is None:
        return loader.load_newest()
    if isinstance(runs, str | TrackedRun | Result):
        return loader.load(_run_id(runs))
    return loader.load([str(_run_id(each)) for each in runs])


def _run_id(run: Named | None) -> str | None:
    if run is None or isinstance(run, str):
        return run
    if isinstance(run, Study):
        return run.mlflow_run_id
    if isinstance(run, TrackedRun | Result) and run.run_id is not None:
        return run.run_id
    raise BadInput("run", run, "must be a run id, a tracked run, or a result with record=True")


def _for_stored(
    stored: Mapping[str, Any], given: Sequence[tuple[str, ObjectConfig]]
) -> tuple[dict[str, object], list[str]]:
    """Return objects by the paths in a stored config, and the import paths that may be used.

    An object of another digest is used all the same: the verdict says what it makes.

    Args:
        stored: the config of the run.
        given: what stands for the objects of the caller, with the group that each is for.
    """
    objects: dict[str, object] = {}
    trusted = []
    for key, config in given:
        paths = import_paths({"problem": stored.get("problem")})
        if key == "optimizer":
            paths = optimizer_paths(stored.get("optimizer"))
        wanted = [path for path in paths if is_given(path)]
        if not config.objects:
            named = [line.partition("=")[2] for line in config.lines if ".path=" in line]
            trusted += [path for path in named if path in paths]
        for path, (own, value) in zip(wanted, config.objects.items(), strict=False):
            objects[path] = value
            if own != path:
                texts = {name: file.text or "" for name, file in user_code(own).files.items()}
                user_code(path).note_given(texts)
                warnings.warn(
                    f"{key}: another object than that of the run: its code or its values differ",
                    stacklevel=3,
                )
    return objects, trusted


def _only(outcomes: Sequence[Outcome]) -> Rerun:
    """Return the only outcome; raise the error that stands for it."""
    (made,) = outcomes
    if isinstance(made, Exception):
        raise made
    return made
