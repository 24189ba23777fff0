"""Which program a rerun of a portable descent computes: the stored one, or one recorded anew.

A stored program is replayed where the user's own code is as it was. It does not depend on torch:
what a recording on this machine would give is only told. It is not used where it is damaged, or
where it is another function than the loss of the recorded config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from gdexp.core import GdexpError, changed_files, printable_line
from gdexp.descent import RecordedHere, misfit, recorded_here
from gdexp.engine import Plans, StoredPlan, StoredPlans
from gdexp.experiment import (
    PROGRAM,
    Experiment,
    environment,
    program_digest,
    recorded_code,
    user_codes,
)
from gdexp.reruns.reference import Reference


@dataclass(frozen=True)
class ProgramUse:
    """What a rerun computed.

    Attributes:
        sha256: of the recorded program; None where the record names none.
        replayed: whether that program was computed as it was stored.
        note: the same in words, with what a recording here would give.
    """

    sha256: str | None
    replayed: bool
    note: str


class Replayed(StoredPlans):
    """A stored program that is computed as it is.

    Args:
        stored: the program.
        use: what is said of it.
    """

    def __init__(self, stored: StoredPlan, use: ProgramUse) -> None:
        super().__init__(stored)
        self.use = use


class RecordedAnew(Plans):
    """Programs that are recorded on this machine.

    Args:
        use: what is said of them.
    """

    def __init__(self, use: ProgramUse) -> None:
        super().__init__()
        self.use = use


def use_of(experiment: Experiment) -> ProgramUse | None:
    """Return what a rerun of an experiment computes; None on engine torch."""
    plans = experiment.plans
    return plans.use if isinstance(plans, Replayed | RecordedAnew) else None


def plans_to_build(reference: Reference) -> Plans | None:
    """Return the plans that a reference's experiment is built with, before it is compared.

    With a stored program nothing is recorded, which may be impossible with another torch.
    """
    if reference.config.get("engine") != "portable":
        return None
    stored = stored_program(reference)
    return _anew(reference, stored) if isinstance(stored, str) else StoredPlans(stored)


def plans_to_run(reference: Reference, experiment: Experiment) -> Plans | None:
    """Return the plans that the rerun of a reference computes.

    Args:
        reference: the recorded descent.
        experiment: built with `plans_to_build`.
    """
    if not isinstance(experiment.plans, StoredPlans):
        return experiment.plans
    stored = experiment.plans.stored
    shape, norms = reference.initial.shape, experiment.stopping.of_norm
    unfit = misfit(stored, experiment.rule, experiment.dtype, shape, norms)
    if unfit is not None:
        return _anew(reference, f"its {PROGRAM} {unfit}")
    if (changed := _changed_code(reference, experiment)) is not None:
        return _anew(reference, changed)
    here = _recorded_here(reference, experiment, stored)
    if here.wrong is not None:
        return _anew(reference, f"its {PROGRAM} is not the loss of its config here: {here.wrong}")
    return Replayed(stored, ProgramUse(stored.sha256, True, _told(stored, here, reference)))


def _recorded_here(
    reference: Reference, experiment: Experiment, stored: StoredPlan
) -> RecordedHere:
    """Compare a stored program with what is recorded here; code that fails here is no obstacle."""
    points = [torch.tensor(array) for array in (reference.initial, reference.final)]
    rule, device = experiment.rule, experiment.device
    try:
        with experiment.problem_errors():
            assert experiment.function is not None, "only a function of x has a program"
            return recorded_here(stored, experiment.function, rule, device, points)
    except GdexpError as error:
        return RecordedHere(refused=str(error))


def stored_program(reference: Reference) -> StoredPlan | str:
    """Return the program of a record, checked; or why there is none that can be used."""
    sha256 = program_digest(reference.environment)
    if sha256 is None:
        return "its record names no program"
    packed = reference.files.get(PROGRAM)
    if packed is None:
        return reference.program_reason or f"its record holds no {PROGRAM}"
    try:
        return StoredPlan.unpack(packed, sha256)
    except ValueError as error:
        return f"its {PROGRAM} {printable_line(str(error))}"


def _anew(reference: Reference, reason: str) -> RecordedAnew:
    note = f"recorded anew: {reason}"
    return RecordedAnew(ProgramUse(program_digest(reference.environment), False, note))


def _changed_code(reference: Reference, experiment: Experiment) -> str | None:
    """Return what is said where the user's code is not known to be as it was; else None."""
    codes = user_codes(experiment.config)
    if not codes:
        return None
    recorded = recorded_code(reference.environment)
    if not recorded:
        return "its record does not say which code it ran"
    changed = changed_files(recorded, *codes)
    if not changed:
        return None
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return f"{printable_line(changed[0])}{more} changed, and the code as it is now was run"


def _told(stored: StoredPlan, here: RecordedHere, reference: Reference) -> str:
    """Return what is said of a program that is replayed."""
    note = f"replayed as stored (sha256 {stored.sha256[:8]})"
    now = environment()
    there, torch_here = _torch(reference.environment), _torch(now)
    versions = f"torch {there} there, {torch_here} here"
    if here.refused is not None:
        return f"{note}; it cannot be recorded here: {here.refused} ({versions})"
    if not here.others:
        return f"{note}; recorded here it is the same"
    own = _source(reference.environment) != _source(now)
    why = f"{versions}, and gdexp's own source differs" if own else versions
    return f"{note}; recorded here, {' and '.join(here.others)} would differ ({why})"


def _torch(recorded: Mapping[str, Any]) -> str:
    packages = recorded.get("packages")
    found = packages.get("torch") if isinstance(packages, Mapping) else None
    return printable_line(str(found)[:40])


def _source(recorded: Mapping[str, Any]) -> object:
    source = recorded.get("source")
    return source.get("digest") if isinstance(source, Mapping) else None
