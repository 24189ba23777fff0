"""`python -m gdexp +rerun=RUN_ID`: replay a tracked run and print a verdict on its bits."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console

from gdexp.config import Config, construct
from gdexp.core import BadInput, CommandExit, json_output, signals, validation
from gdexp.display import terminal
from gdexp.experiment import Experiment
from gdexp.reruns import (
    ACCEPTABLE_LEVELS,
    DamagedReference,
    NoReference,
    Outcome,
    Reference,
    Rerun,
    RerunRecorder,
    build_experiment,
    check_overrides,
    common_exit_status,
    end_killed_reruns,
    load_folder,
    load_references,
    outcome_json,
    replay_descent,
    replay_descents,
    rerun_facts,
    select_runs,
    summary_facts,
    verdict_counts,
)
from gdexp.tracking import Store, TrackingSettings

FORMATS = ("text", "json")
LISTEN_EVERY = 10_000
"""Iterations between looks for a signal that was swallowed."""


@dataclass(frozen=True)
class RerunSettings:
    """The config group `rerun`.

    Args:
        run: run id or its first digits, or a folder of `+export`; None: the newest sweep's best,
            or the newest run, whichever is newer.
        format: text or json.
        accept: the weakest verdict with exit status 0.
        ulps: that two numbers may be apart to be called close, >= 0.
        restore: whether with the reference's thread count.
        record: whether the rerun is tracked too.
    """

    run: str | None = None
    format: str = "text"
    accept: str = "identical"
    ulps: int = 16
    restore: bool = True
    record: bool = True

    def __post_init__(self) -> None:
        if self.run is not None:
            validation.text("run", self.run)
        validation.choice("format", self.format, FORMATS)
        validation.choice("accept", self.accept, map(str, ACCEPTABLE_LEVELS))
        validation.integer("ulps", self.ulps)
        validation.boolean("restore", self.restore)
        validation.boolean("record", self.record)


def rerun(config: Config) -> None:
    """Replay what was named, print the verdict and record the rerun.

    Raises:
        BadInput: no such run, or a stored config that is not one of gdexp's.
        NoReference: the run left nothing to compare with.
        DamagedReference: its files are not what its manifest says.
        Ended: the verdict has an exit status of its own.
        StorageFailed: the store cannot be read or written.
    """
    check_overrides("rerun", "rerun_all", "trust")
    settings = construct("rerun", RerunSettings, config["rerun"] or {})
    json_output.begin(settings.format, "rerun")
    trust = _trusted(config["trust"])
    every = validation.boolean("rerun_all", config["rerun_all"])
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    outcomes = make_again(settings, tracking, trust, every)
    status = common_exit_status(outcomes, settings.accept)
    if status:
        raise CommandExit(status)


def make_again(
    settings: RerunSettings,
    tracking: TrackingSettings,
    trust: Sequence[str],
    every: bool = False,
) -> list[Outcome]:
    """Replay what was named, print the verdicts and record the reruns; return the outcomes.

    Args:
        settings: of the command.
        tracking: where the runs are.
        trust: the import paths that may be used.
        every: whether all trials of a sweep are meant.
    """
    try:
        found, sweep = _found(settings, tracking, every)
        if len(found) == 1 and not every and not isinstance(found[0], Reference):
            raise found[0]
    except (NoReference, DamagedReference) as error:
        json_output.answer("rerun", outcome_json(error, settings.accept))
        raise

    pairs = [(each, build_experiment(each, trust)) for each in found if isinstance(each, Reference)]
    without: list[Outcome] = [each for each in found if not isinstance(each, Reference)]
    recorded = settings.record and bool(pairs)
    store = Store(tracking) if recorded and not tracking.read_only else None
    if store is not None and store.warning:
        terminal.print_warning(store.warning)
    if store is not None:
        end_killed_reruns(store)
    out = terminal.console()
    recorder = RerunRecorder(store, settings.accept)
    if recorded and store is None:
        recorder.facts.append(("recorded", f"no, {tracking.display_uri} is read-only"))
    if len(found) == 1 and not every:
        made = _replay_one(recorder, settings, *pairs[0])
        _show_one(out, settings, made, sweep, recorder)
        outcomes: list[Outcome] = [made]
    else:
        outcomes = _replay_many(recorder, settings, pairs, without, sweep)
        _show_many(out, settings, outcomes, sweep, recorder)
    return outcomes


def _replay_one(
    recorder: RerunRecorder, settings: RerunSettings, reference: Reference, experiment: Experiment
) -> Rerun:
    """Replay one run and record the rerun."""
    with recorder.single(reference, experiment) as run:
        made = replay_descent(
            reference, experiment, ulps=settings.ulps, restore=settings.restore, watch=_listen
        )
        run.finish(made)
    return made


def _replay_many(
    recorder: RerunRecorder,
    settings: RerunSettings,
    pairs: list[tuple[Reference, Experiment]],
    without: list[Outcome],
    sweep: str | None,
) -> list[Outcome]:
    """Replay the runs of a sweep and record the reruns.

    Args:
        recorder: of the reruns.
        settings: of the command.
        pairs: each run with its experiment.
        without: the outcomes of runs that cannot be replayed.
        sweep: the id of the sweep's run.
    """
    with recorder.group(sweep, [reference for reference, _ in pairs]) as group:
        again = replay_descents(
            pairs, ulps=settings.ulps, restore=settings.restore, done=lambda _: _listen(0)
        )
        outcomes = [*group.write_all(again), *without]
        group.finish(outcomes)
    return outcomes


def _found(
    settings: RerunSettings, tracking: TrackingSettings, every: bool
) -> tuple[Sequence[Reference | NoReference | DamagedReference], str | None]:
    """What was named, and the id of its sweep."""
    folder = load_folder(settings.run)
    if folder is not None:
        if every:
            raise BadInput("rerun_all", True, f"needs a sweep; {settings.run} is one run")
        return [folder], None
    runs, sweep = select_runs(settings.run, tracking, "+rerun", every)
    return load_references(runs), sweep


def _show_one(
    out: Console, settings: RerunSettings, made: Rerun, sweep: str | None, recorder: RerunRecorder
) -> None:
    recorded = recorder.run_ids.get(id(made))
    json_output.answer("rerun", outcome_json(made, settings.accept, recorded))
    which = ", the newest here" if settings.run is None else ""
    of = [("sweep", f"{str(sweep)[:8]}{which}, its best; rerun_all=true makes all")]
    if sweep is None:
        of = [("run", f"{made.reference.shown.removeprefix('run ')}{which}")] if which else []
    terminal.print_facts(out, [*of, *rerun_facts(made), *recorder.facts])


def _show_many(
    out: Console,
    settings: RerunSettings,
    outcomes: Sequence[Outcome],
    sweep: str | None,
    recorder: RerunRecorder,
) -> None:
    each = [outcome_json(o, settings.accept, recorder.run_ids.get(id(o))) for o in outcomes]
    json_output.answer("rerun", {"verdicts": verdict_counts(outcomes), "runs": each})
    which = ", the newest here" if settings.run is None else ""
    of = [] if sweep is None else [("sweep", f"{sweep[:8]}{which}, {len(outcomes):,} descents")]
    terminal.print_facts(out, [*of, *summary_facts(outcomes), *recorder.facts])


def _trusted(given: object) -> list[str]:
    """The import paths that a person typed."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Iterable) or not all(isinstance(each, str) for each in given):
        raise BadInput("trust", given, "must be a list of paths: trust=[package.module.Class]")
    return [str(each) for each in given]


def _listen(iteration: int, trace: array[float] | None = None) -> int:
    """Stop for a signal that a problem's code swallowed."""
    signals.check()
    return iteration + LISTEN_EVERY
