"""`python -m gdexp +resume=RUN_ID`: an unfinished training goes on from its checkpoint."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gdexp.checkpoints import CheckpointFolder
from gdexp.cli.run import carry_out, unfinished
from gdexp.config import Config, construct
from gdexp.core import BadInput, StudyInUse, validation
from gdexp.descent import Result
from gdexp.display import terminal
from gdexp.experiment import CheckpointSettings
from gdexp.reruns import check_overrides
from gdexp.runs import stored_experiment
from gdexp.tracking import Store, TrackingSettings


@dataclass(frozen=True)
class ResumeSettings:
    """The config group `resume`.

    Attributes:
        run: a run id or its first digits; None: the newest that is unfinished.
    """

    run: str | None = None

    def __post_init__(self) -> None:
        if self.run is not None:
            validation.text("run", self.run)


def resume(config: Config) -> Result:
    """Go on with a run: same settings, same id, the same bits as without the interruption.

    Raises:
        BadInput: no such run is unfinished, or its code is not trusted.
        GdexpError: the checkpoint is of other code.
        StorageFailed: the store or the disk refused a write.
    """
    check_overrides("resume", "trust", "checkpoint")
    settings = construct("resume", ResumeSettings, config["resume"] or {})
    trust = _trusted(config["trust"])
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    folder = _folder(settings.run)
    about = folder.about()
    if about is None:
        raise BadInput("+resume", folder.path.name, f"no checkpoint in {folder.path} can be read")
    experiment = stored_experiment(about["config"], trust)
    tracking.preflight()
    store = Store(tracking)
    if store.warning:
        terminal.print_warning(store.warning)
    run_id = folder.path.name
    known = store.search({}, run_ids=[run_id])
    if not known:
        raise BadInput("+resume", run_id, f"is no run in {tracking.display_uri}; give tracking.uri")
    if known[0].status == "FINISHED":
        folder.remove()
        raise BadInput("+resume", run_id, "is finished; there is nothing to go on with")
    with folder.locked():  # another process may go on with it
        store.reopen(run_id)
    out = terminal.console()
    number = max(folder.numbers())
    terminal.print_facts(out, [("resumed", f"run {run_id} at update {number:,}")])
    try:
        return carry_out(out, experiment, store, run_id, CheckpointSettings.of(config))
    except StudyInUse:
        store.reopen(run_id)
        raise


def _folder(run: str | None) -> CheckpointFolder:
    """Return the checkpoints of the run that the first digits of its id name."""
    known = unfinished()
    found = [each for each in known if run is None or each.path.name.startswith(run)]
    names = ", ".join(each.path.name for each in known) or "none in this directory"
    if not found:
        raise BadInput("+resume", run or "", f"has no checkpoint; unfinished: {names}")
    if run is not None and len(found) > 1:
        raise BadInput("+resume", run, f"could be {', '.join(each.path.name for each in found)}")
    return found[0]


def _trusted(given: object) -> list[str]:
    """Return the import paths that a person typed."""
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, Iterable) or not all(isinstance(each, str) for each in paths):
        raise BadInput("trust", given, "must be a list of paths: trust=[package.module.Class]")
    return list(paths)
