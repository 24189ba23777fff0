"""`python -m gdexp`: one descent, printed as it goes, tracked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from rich.console import Console

from gdexp.checkpoints import CheckpointFolder, Checkpointing
from gdexp.cli.run_answer import run_answer
from gdexp.cli.run_texts import announce, engine_line, report
from gdexp.cli.suggested_sweep import suggested_sweep
from gdexp.cli.unfinished_runs import name_unfinished, tell_interrupted
from gdexp.config import Config, construct
from gdexp.core import Interrupted, StorageFailed, command_folder, json_output
from gdexp.descent import LOSS, Monitors, Result
from gdexp.display import LossPrinter, terminal
from gdexp.experiment import (
    FOLDER,
    NONDETERMINISTIC_TAG,
    CheckpointSettings,
    Experiment,
    checkpointing,
    left_out,
    nondeterminism_warning,
    pictures,
    provenance_files,
    trusted_paths,
)
from gdexp.tracking import (
    NOTE_TAG,
    LiveCurves,
    Record,
    RunHeader,
    Store,
    TrackingSettings,
    chart_views,
    descent_note,
    descent_record,
    params,
    run_display,
)
from gdexp.training import Kept

TELLING = ("final.png", "curve.png", "metric.png", "loss.png")
"""Pictures of a run, the most telling first."""


def run_config(config: Config) -> Result:
    """Run the composed experiment once, print it and record it.

    Raises:
        BadInput: before anything is written.
        StorageFailed: MLflow's store refused the record.
    """
    experiment = Experiment.from_config(config, trusted_paths(config))
    settings = construct("tracking", TrackingSettings, config["tracking"])
    saves = CheckpointSettings.of(config)
    settings.preflight()
    experiment.rehearse()
    differing = nondeterminism_warning(experiment)
    out = terminal.console()
    announce(out, experiment, differing)

    store = Store(settings)
    if store.warning:
        terminal.print_warning(store.warning)
    tags = {} if differing is None else {NONDETERMINISTIC_TAG: "true"}
    name_unfinished(experiment)
    run_id = store.start(RunHeader(name=title(experiment), kind="run", tags=tags))
    if experiment.function is None:  # of a descent the engine may change until its end
        store.log_values(run_id, Record(params=params(experiment.config)))
    result = replace(carry_out(out, experiment, store, run_id, saves), run_id=run_id)
    json_output.answer("run", run_answer(experiment.of_result(result), result, run_id, store))
    return result


def carry_out(
    out: Console,
    experiment: Experiment,
    store: Store,
    run_id: str,
    saves: CheckpointSettings,
    changed: Collection[str] = (),
    first: Mapping[str, str] | None = None,
) -> Result:
    """Run an experiment, from its checkpoint if it has one; print and record the result.

    Args:
        out: the console.
        experiment: what is run.
        store: of the run.
        run_id: of the run, which the store has as RUNNING.
        saves: when checkpoints are made.
        changed: keys whose values are others than the checkpoint's.
        first: params that stay as they were when the run began.

    Raises:
        StudyInUse: another process goes on with the run.
        StorageFailed: MLflow's store refused the record, or the disk a checkpoint.
    """
    folder = CheckpointFolder(command_folder() / FOLDER / run_id)
    kept = Kept(store.settings.tensors, store.settings.model)
    warn = terminal.print_warning
    checkpoints = checkpointing(experiment, folder, saves, kept=kept, changed=changed, warn=warn)
    try:
        with checkpoints:
            return _recorded(out, experiment, store, run_id, checkpoints, first or {})
    except BaseException as error:
        state = store.abandon(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        if isinstance(error, Interrupted | StorageFailed) and state is not None:
            with suppress(OSError):  # a terminal that is gone (HUP) takes no words
                tell_interrupted(out, experiment, run_id, state, folder)
        raise
    finally:
        if not folder.numbers():
            folder.remove()


def _recorded(
    out: Console,
    experiment: Experiment,
    store: Store,
    run_id: str,
    checkpoints: Checkpointing,
    first: Mapping[str, str],
) -> Result:
    """Run, print and record; then the checkpoints are removed."""
    stopping, f_star = experiment.stopping, experiment.problem.reference
    metric = None if stopping.metric in (LOSS, experiment.watched_name) else stopping.metric
    threshold = -math.inf if stopping.of_norm else stopping.threshold  # it says nothing of losses
    losses = LossPrinter(out, threshold, f_star, experiment.watched_name, metric)
    of_losses = experiment.watched_name is None
    with losses, LiveCurves(store, store.existing(run_id), of_losses) as curves:
        kept = Kept(store.settings.tensors, store.settings.model)
        is_training = experiment.function is None
        result = experiment.run(
            watch=curves.watching(losses) if is_training else losses,
            monitor=Monitors([losses, curves]) if is_training else None,
            kept=kept,
            checkpoints=checkpoints,
        )
    asked, experiment = experiment, experiment.of_result(result)
    losses.close(result.last_watched)
    made = record(experiment, result, run_id, store)
    store.finish(run_id, replace(made, params={**made.params, **first}))
    checkpoints.folder.remove()
    report(out, experiment, result)
    if experiment.engine_reason != asked.engine_reason:  # known only since the descent
        terminal.print_facts(out, engine_line(experiment))
    log_pictures(out, experiment, result, run_id, store)
    store.save_runs_view()
    if (reason := store.missing_reason(run_id)) is not None:
        terminal.print_warning(reason)
    terminal.print_facts(
        out,
        [
            (
                "recorded",
                f"MLflow run {run_id} in {terminal.escape_text(store.settings.display_uri)}",
            ),
            ("look", terminal.escape_text(store.ui_command())),
        ],
    )
    terminal.print_line(out, f"{store.ui_address()}/#{store.run_link(run_id)}")
    out.print("[dim]all single runs, their losses on one log axis[/dim]")
    terminal.print_line(out, f"{store.ui_address()}/#{store.runs_link()}")
    if result.iterations == 0:  # the same with every learning rate
        return result
    sweep = suggested_sweep(experiment, result)
    out.print(f"\n[dim]find the best learning rate with{sweep.note}[/dim]")
    terminal.print_line(out, sweep.command)
    return result


def record(experiment: Experiment, result: Result, run_id: str, store: Store) -> Record:
    """Return the record of a single run for MLflow, with its note and colour.

    Args:
        experiment: the experiment.
        result: its result.
        run_id: the id of its run.
        store: the store of the run.
    """
    return descent_record(
        experiment,
        result,
        provenance_files(experiment.config, program=result.program),
        {
            run_display.COLOUR_TAG: run_display.status_colour(
                str(result.status), int(run_id[:8], 16)
            ),
            NOTE_TAG: descent_note(experiment, result, run_id, store.loss_link(run_id)),
        },
    )


def log_pictures(
    out: Console, experiment: Experiment, result: Result, run_id: str, store: Store
) -> None:
    """Draw the pictures of a run whose record is complete.

    They are not in its manifest: a picture is no part of a record, and a run without is whole.
    """
    try:
        drawn = run_pictures(experiment, result)
    except Exception as error:  # whatever a large or strange x does to a library that draws
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        terminal.print_warning(f"the run is recorded, but its pictures cannot be drawn: {reason}")
        return
    store.log_files(run_id, drawn)
    store.log_values(run_id, Record(tags={run_display.IMAGES_TAG: "True"}))
    if missing := left_out(experiment, result):
        terminal.print_facts(out, [("not drawn", missing)])


def run_pictures(experiment: Experiment, result: Result) -> dict[str, bytes]:
    """Return the pictures of a run, the most telling also for MLflow's image card."""
    drawn = pictures(experiment, result)
    shown = next((drawn[name] for name in TELLING if name in drawn), None)
    if shown is None:
        return {}
    return {**drawn, **run_display.image_artifacts(chart_views.PICTURE, shown)}


def title(experiment: Experiment) -> str:
    """Return a run's name: its problem, rule and learning rate."""
    lr = getattr(experiment.rule, "lr", None)
    step = "" if lr is None else f" lr={lr:.6g}"
    return f"{experiment.problem.name} {experiment.rule.name}{step}"
