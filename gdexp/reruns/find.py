"""What `+rerun` and `+export` were given: runs of the store, a sweep's best, or a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gdexp.config import parse_overrides, typed_overrides
from gdexp.core import BadInput, command_folder
from gdexp.reruns.export import is_folder, read_folder
from gdexp.reruns.reference import Damaged, NoReference, Reference, of_run
from gdexp.runs import Deleted, Shelf, TrackedRun
from gdexp.tracking import TrackingSettings


def check_own_keys(command: str, *further: str) -> None:
    """Refuse overrides of what comes from the run itself: silently, they would be lost.

    Args:
        command: that was given as `+command`.
        further: keys that it reads besides its own group and `tracking`.

    Raises:
        BadInput: the first of them.
    """
    for override in parse_overrides(typed_overrides()):
        key = override.get_key_element().lstrip("+~")
        if re.split(r"[./]", key)[0] not in (command, "tracking", *further):
            value = str(override.input_line).partition("=")[2]
            raise BadInput(key, value, f"comes from the run itself; leave it out with +{command}")


def folder_reference(named: str | None) -> Reference | None:
    """The record in the folder that was named; None where it was none."""
    if named is None or not is_folder(named, command_folder()):
        return None
    return read_folder(command_folder() / Path(named).expanduser(), named)


def tracked(
    named: str | None, tracking: TrackingSettings, key: str, every: bool = False
) -> tuple[Sequence[TrackedRun], str | None]:
    """The runs that were named, and the id of their sweep when they are of one.

    A sweep's id stands for its best descent, a trial of several seeds for all of its descents,
    none for the newest sweep or, where there is none, the newest run.

    Args:
        named: a run id, its first digits, or None.
        tracking: where.
        key: what the error calls it.
        every: all descents of a sweep, not its best.

    Raises:
        BadInput: no such store or run.
        NoReference: it was deleted, or there is no descent.
    """
    shelf = Shelf(tracking)
    try:
        found = shelf.load(named, key=key)
    except Deleted as error:
        raise NoReference(str(error)) from None
    runs = list(found)
    if found.sweep is None:
        if every:
            raise BadInput("rerun_all", True, f"needs a sweep; {key}={named} is none")
        if named is None:  # reruns go before: replaying one of them is seldom meant
            runs = sorted(runs, key=lambda run: run.kind != "rerun")[-1:]
        return runs, None
    sweep = found.sweep.run_id
    if not runs:
        raise NoReference(f"sweep {found.sweep.short}: holds no trial; nothing to compare with")
    if every:
        return runs, sweep
    best = found.sweep.tags.get("gdexp.best_run", "")
    chosen = [run for run in runs if run.run_id == best or run.parent == best]
    if not chosen:
        chosen = [run for run in [found.best] if run is not None]
    return chosen, sweep


def records(runs: Sequence[TrackedRun]) -> list[Reference | NoReference | Damaged]:
    """The record of each run, or why there is none to compare with."""
    found: list[Reference | NoReference | Damaged] = []
    for run in runs:
        try:
            found.append(of_run(run))
        except (NoReference, Damaged) as error:
            found.append(error)
    return found
