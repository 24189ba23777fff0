"""Select what `+rerun` and `+export` work on: runs of the store, the best of a sweep, a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gdexp.config import (
    APPLICATION,
    parse_overrides,
    typed_overrides,
    why_not_rerunnable,
)
from gdexp.core import BadInput, command_folder
from gdexp.reruns.export_folder import names_folder, read_folder
from gdexp.reruns.reference import DamagedReference, NoReference, Reference
from gdexp.reruns.reference_reader import reference_of_run
from gdexp.runs import DeletedRun, RunLoader, TrackedRun, UnreadableRun
from gdexp.tracking import TrackingSettings


def check_overrides(command: str, *further: str) -> None:
    """Check that no override sets what comes from the run itself: it would have no effect.

    Args:
        command: the command, given as `+command`.
        further: keys that it reads besides its own group, `tracking` and `output`.

    Raises:
        BadInput: names the first such override.
    """
    for override in parse_overrides(typed_overrides()):
        key = override.get_key_element().lstrip("+~")
        if re.split(r"[./]", key)[0] not in (command, "tracking", "output", *further):
            value = str(override.input_line).partition("=")[2]
            raise BadInput(key, value, f"comes from the run itself; leave it out with +{command}")


def load_folder(argument: str | None) -> Reference | None:
    """Load the record of the folder that the argument names; None if it names no folder."""
    if argument is None or not names_folder(argument, command_folder()):
        return None
    return read_folder(command_folder() / Path(argument).expanduser(), argument)


def select_runs(
    argument: str | None, tracking: TrackingSettings, key: str, every: bool = False
) -> tuple[Sequence[TrackedRun], str | None]:
    """Return the runs that the argument selects, and the id of their sweep if they have one.

    The id of a sweep selects its best descent; the id of a trial with several seeds selects all
    of its descents. Without an argument it is the newest sweep or single run.

    Args:
        argument: a run id, its first digits, or None.
        tracking: the settings of the store.
        key: the key that an error names.
        every: whether to select all descents of a sweep.

    Raises:
        BadInput: there is no such store or run.
        NoReference: the run was deleted, or the sweep has no descent.
    """
    loader = RunLoader(tracking)
    try:
        found = loader.load_newest() if argument is None else loader.load(argument, key=key)
    except DeletedRun as error:
        raise NoReference(str(error)) from None
    runs = list(found)
    if found.sweep is None:
        if every:
            raise BadInput("rerun_all", True, f"needs a sweep; {key}={argument} is none")
        return _own(runs, key), None
    sweep = found.sweep.run_id
    if not runs:
        raise NoReference(f"sweep {found.sweep.short}: holds no trial; nothing to compare with")
    if every:
        return _own(runs, key), sweep
    best = found.sweep.tags.get("gdexp.best_run", "")
    chosen = [run for run in runs if run.run_id == best or run.parent == best]
    if not chosen:
        chosen = [run for run in [found.best] if run is not None]
    return _own(chosen, key), sweep


def _own(runs: list[TrackedRun], key: str) -> list[TrackedRun]:
    """Return runs, all of which are descents of gdexp.

    Raises:
        BadInput: one is a trial of another application, which its own command repeats.
    """
    for run in runs:
        with suppress(UnreadableRun):  # its files are checked later, against their manifest
            if run.values.get("problem.name") == APPLICATION:
                raise BadInput(key, run.short, f"is {why_not_rerunnable(run.config)}")
    return runs


def load_references(runs: Sequence[TrackedRun]) -> list[Reference | NoReference | DamagedReference]:
    """Load the record of each run, or the error that says why it has none."""
    found: list[Reference | NoReference | DamagedReference] = []
    for run in runs:
        try:
            found.append(reference_of_run(run))
        except (NoReference, DamagedReference) as error:
            found.append(error)
    return found
