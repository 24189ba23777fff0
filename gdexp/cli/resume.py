"""`python -m gdexp +resume=RUN_ID`: an unfinished run goes on from its checkpoint."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from gdexp.checkpoints import Checkpoint, CheckpointFolder
from gdexp.cli.passed_limits import check_passed_limits
from gdexp.cli.run import carry_out
from gdexp.cli.run_answer import run_answer
from gdexp.cli.unfinished_runs import unfinished
from gdexp.config import (
    APPLICATION,
    Config,
    construct,
    lookup,
    parse_overrides,
    typed_overrides,
    why_not_rerunnable,
    with_values,
)
from gdexp.core import BadInput, GdexpError, StudyInUse, json_output, validation
from gdexp.descent import Result
from gdexp.display import terminal
from gdexp.experiment import CHANGEABLE, CheckpointSettings, kept_of
from gdexp.runs import (
    RESUMED_TAG,
    RunLoader,
    first_settings,
    last_settings,
    param_value,
    resumed_text,
    stored_experiment,
)
from gdexp.tracking import Record, Store, TrackingSettings, params
from gdexp.training import Kept

OWN_KEYS = ("resume", "trust", "checkpoint", "tracking", "output")
"""Keys and groups that say how the run goes on, and are not part of it."""


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
    changed = _changed(config)
    settings = construct("resume", ResumeSettings, config["resume"] or {})
    trust = _trusted(config["trust"])
    tracking = construct("tracking", TrackingSettings, config["tracking"])
    folder = _folder(settings.run, tracking)
    found = _checkpoint(folder)
    made, about = found.number, found.about
    experiment = stored_experiment(with_values(about["config"], changed), trust)
    check_passed_limits(found, experiment.stopping, changed)
    tracking = _keeping(tracking, kept_of(about))
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
    given = {**_given_before(known[0].tags), **changed}
    if given != changed:
        changed = given
        experiment = stored_experiment(with_values(about["config"], changed), trust)
        check_passed_limits(found, experiment.stopping, changed)
    del found  # the run needs its memory
    with folder.locked():  # another process may go on with it
        store.reopen(run_id)
    out = terminal.console()
    step = "update" if experiment.function is None else "iteration"
    now = params(experiment.config)
    at_start = {**params(about["config"]), **first_settings(known[0].tags)}
    first = {key: at_start[key] for key in CHANGEABLE if at_start.get(key, now[key]) != now[key]}
    said = resumed_text(f"{step} {made:,}", now, first)
    store.log_values(run_id, Record(tags={RESUMED_TAG: said}))
    terminal.print_facts(out, [("resumed", f"run {run_id} at {said}")])
    saves = CheckpointSettings.of(config)
    try:
        result = carry_out(out, experiment, store, run_id, saves, changed, first)
    except StudyInUse:
        store.reopen(run_id)
        raise
    answer = run_answer(experiment.of_result(result), result, run_id, store)
    json_output.answer("resume", {**answer, "resumed": said})
    return result


def _checkpoint(folder: CheckpointFolder) -> Checkpoint:
    """Return the newest checkpoint that is whole.

    Raises:
        GdexpError: none is, or another process goes on with the run.
    """
    with folder.locked():
        found = folder.load()
    if found is None:
        raise GdexpError(f"checkpoint {folder.path}: it was removed meanwhile")
    return found


def _changed(config: Config) -> dict[str, Any]:
    """Return the settings that are given anew, by key.

    Raises:
        BadInput: one that cannot be: the run's own counts.
    """
    found = {}
    for override in parse_overrides(typed_overrides()):
        key = override.get_key_element().lstrip("+")
        if key in CHANGEABLE:
            found[key] = lookup(config, key)
        elif re.split(r"[./]", key)[0] not in OWN_KEYS:
            value = str(override.input_line).partition("=")[2]
            allowed = f"comes from the run itself; only {', '.join(CHANGEABLE)} can change"
            raise BadInput(key, value, allowed)
    return found


def _given_before(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that an earlier `+resume` was given; a kill may have come soon after."""
    return {k: param_value(each) for k, each in last_settings(tags).items() if k in CHANGEABLE}


def _keeping(tracking: TrackingSettings, kept: Kept) -> TrackingSettings:
    """Return the settings with what the run keeps of the weights, unless the user says it anew."""
    typed = {each.get_key_element().lstrip("+") for each in parse_overrides(typed_overrides())}
    own: dict[str, Any] = {"tensors": kept.tensors, "model": kept.model}
    return replace(tracking, **{k: v for k, v in own.items() if f"tracking.{k}" not in typed})


def _folder(run: str | None, tracking: TrackingSettings) -> CheckpointFolder:
    """Return the checkpoints of the run that the first digits of its id name."""
    known = unfinished()
    found = [each for each in known if run is None or each.path.name.startswith(run)]
    names = ", ".join(each.path.name for each in known) or "none in this directory"
    if not found:
        none = f"has no checkpoint; unfinished: {names}"
        raise BadInput("+resume", run or "", _of_another_application(run, tracking) or none)
    if run is not None and len(found) > 1:
        raise BadInput("+resume", run, f"could be {', '.join(each.path.name for each in found)}")
    return found[0]


def _of_another_application(run: str | None, tracking: TrackingSettings) -> str | None:
    """Return what goes on with a run of another application's sweep; None for any other run."""
    if run is None:
        return None
    with suppress(GdexpError):  # no such store or run
        found = RunLoader(tracking).load(run, key="+resume")
        for each in found:
            if each.values.get("problem.name") != APPLICATION:
                continue
            if found.sweep is not None:
                return "is a sweep of another application; the command that began it continues it"
            return f"is {why_not_rerunnable(each.config)}"
    return None


def _trusted(given: object) -> list[str]:
    """Return the import paths that a person typed."""
    paths = [given] if isinstance(given, str) else given
    if not isinstance(paths, Iterable) or not all(isinstance(each, str) for each in paths):
        raise BadInput("trust", given, "must be a list of paths: trust=[package.module.Class]")
    return list(paths)
