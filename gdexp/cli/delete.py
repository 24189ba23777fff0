"""`python -m gdexp +delete=RUN_OR_SWEEP`: remove a run, or a sweep with all that belongs to it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from gdexp.config import Config, construct
from gdexp.core import BadInput, CommandExit, json_output, validation
from gdexp.display import terminal
from gdexp.reruns import check_overrides
from gdexp.runs import RunLoader, TrackedRun
from gdexp.sweeps import DoomedStudy
from gdexp.tracking import DoomedRun, TrackingSettings, delete_runs

DECLINED = 1
"""The exit status when a person says no."""


@dataclass(frozen=True)
class DeleteSettings:
    """The config group `delete`.

    Args:
        run: run id of a run or a sweep, or its first digits.
        storage: of the sweep's study; None: `sweeps/NAME/study.journal`.
        killed: whether a run that stands as RUNNING is one whose process was killed.
    """

    run: str | None = None
    storage: str | None = None
    killed: bool = False

    def __post_init__(self) -> None:
        for key in ("run", "storage"):
            if getattr(self, key) is not None:
                validation.text(key, getattr(self, key))
        validation.boolean("killed", self.killed)


def delete(config: Config) -> None:
    """Show what belongs to a run or sweep, ask, and delete it for good.

    The sweep's own run goes last, so that the same command goes on after a kill.

    Raises:
        BadInput: no such run, a part of a sweep, or a run that is still going.
        StudyInUse: the sweep is still going.
        StorageFailed: something cannot be deleted; the same command goes on.
    """
    check_overrides("delete", "yes")
    settings = construct("delete", DeleteSettings, config["delete"] or {})
    sure = validation.boolean("yes", config["yes"])
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    if settings.run is None:
        raise BadInput("+delete", "", "must name a run or a sweep: +delete=RUN_ID")
    loader = RunLoader(tracking)
    run = loader.run(settings.run, "+delete")
    _check(run, settings, tracking)
    study = None
    if run.kind == "sweep" and (name := run.tags.get("gdexp.study")):
        study = DoomedStudy(name, run.run_id, settings.storage)
    with nullcontext(False) if study is None else study.held() as is_there:
        runs = loader.family(run)
        _show(run, runs, study, is_there, sure)
        if study is not None and is_there:
            study.remove()
        if tracking.database is not None:
            doomed = [DoomedRun(each.run_id, each.home) for each in runs]
            delete_runs(tracking.database, doomed, run.run_id)
        else:
            loader.delete([each.run_id for each in runs])
    out = terminal.console()
    json_output.answer("delete", _answer(run, runs, study, is_there))
    terminal.print_facts(out, [("deleted", f"{_noun(run)} {run.short}, {len(runs):,} runs in all")])
    if tracking.database is None:
        out.print("Its files are on the server: mlflow gc there removes them.")


def _check(run: TrackedRun, settings: DeleteSettings, tracking: TrackingSettings) -> None:
    """Refuse a part of a sweep, a run that goes on, and a store that is only read."""
    if tracking.read_only:
        raise BadInput("tracking.uri", tracking.display_uri, "is read-only")
    above = run.above()
    if run.kind in ("trial", "seed") and above is not None:
        raise BadInput(
            "+delete", run.short, f"is a part of {above.short}; a sweep is deleted as a whole"
        )
    if run.kind != "sweep" and run.state == "RUNNING" and not settings.killed:
        raise BadInput(
            "+delete",
            run.short,
            "is RUNNING: end its process first; delete.killed=true says that it was killed",
        )


def _show(
    run: TrackedRun, runs: Sequence[TrackedRun], study: DoomedStudy | None, there: bool, sure: bool
) -> None:
    """Show what is to be deleted, and ask.

    Raises:
        BadInput: nobody can be asked.
        CommandExit: the answer is no.
    """
    size, files = _size(runs)
    out = terminal.console()
    terminal.print_facts(
        out,
        [
            (_noun(run), f"{run.short} {terminal.escape_text(run.name)}"),
            ("runs", f"{len(runs):,}"),
            ("files", f"{files:,}, {size:,} bytes"),
            *([] if study is None else [("study", _study(study, there))]),
        ],
    )
    if sure:
        return
    if not sys.stdin.isatty():
        raise BadInput("yes", False, "nobody can be asked here; yes=true deletes this for good")
    out.print("\nDelete this for good? [y/N] ", end="", markup=False)
    if input().strip().lower() not in ("y", "yes"):
        out.print("Nothing was deleted.")
        raise CommandExit(DECLINED)


def _study(study: DoomedStudy, there: bool) -> str:
    place = terminal.escape_text(study.shown)
    return place if there else f"not in {place}; delete.storage=… names another place"


def _size(runs: Sequence[TrackedRun]) -> tuple[int, int]:
    """Return the bytes and the number of the files of runs on this machine."""
    size = files = 0
    for run in runs:
        folder = DoomedRun(run.run_id, run.home).folder
        for path in [] if folder is None else folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                size, files = size + path.stat().st_size, files + 1
    return size, files


def _noun(run: TrackedRun) -> str:
    return "sweep" if run.kind == "sweep" else "run"


def _answer(
    run: TrackedRun, runs: Sequence[TrackedRun], study: DoomedStudy | None, there: bool
) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "kind": run.kind,
        "name": run.name,
        "runs": len(runs),
        "study": study.name if study is not None and there else None,
    }
