"""Compare a rerun with its reference and give a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gdexp.core import format_count
from gdexp.reruns.array_comparison import ArrayDifference, compare_arrays, same_bits
from gdexp.reruns.causes import Cause
from gdexp.tracking import Array

EXIT_NO_REFERENCE, EXIT_DIFFERENT = 3, 4
"""Exit statuses: there is nothing to compare with; the rerun differs."""


class Level(StrEnum):
    """The levels of agreement of a rerun with its reference, best first."""

    IDENTICAL = "identical"
    CLOSE = "close"
    SAME_OUTCOME = "same outcome"
    DIFFERENT = "different"
    NO_REFERENCE = "no reference"
    DAMAGED = "damaged reference"

    def exit_status(self, accept: str = "identical") -> int:
        """Return 0 if the level is at least as good as the accepted one, else 3 or 4."""
        if self is Level.NO_REFERENCE:
            return EXIT_NO_REFERENCE
        order = list(Level)
        return 0 if order.index(self) <= order.index(Level(accept)) else EXIT_DIFFERENT


ACCEPTABLE_LEVELS = (Level.IDENTICAL, Level.CLOSE, Level.SAME_OUTCOME)


class DescentOutcome(Protocol):
    """What is compared of a descent, recorded or just made."""

    @property
    def status(self) -> str:
        """Why it ended."""

    @property
    def trace(self) -> Array:
        """The loss at iterations 0 … n."""

    @property
    def final(self) -> Array:
        """The point at the last iteration, in the dtype in which it is stored; perhaps empty."""

    @property
    def updates(self) -> int:
        """The updates made, those of a continuation included."""

    @property
    def readings(self) -> Mapping[str, Array]:
        """The traces of a training's metrics, by the name of their file."""

    @property
    def digests(self) -> Mapping[str, Mapping[str, str]]:
        """The digests of a training's weights, under `initial` and `final`; empty of a descent."""


@dataclass(frozen=True)
class Verdict:
    """The result of comparing a rerun with its reference.

    Attributes:
        level: the verdict in one or two words.
        reasons: what differs, one clause each; empty if identical.
        trace: the difference of the losses that both have; None if there is none.
        final: the difference of the final tensors; None if there is none or the shapes differ.
        causes: what could explain the difference, most likely first.
    """

    level: Level
    reasons: tuple[str, ...] = ()
    trace: ArrayDifference | None = None
    final: ArrayDifference | None = None
    causes: tuple[Cause, ...] = field(default=())

    def __str__(self) -> str:
        return "; ".join([f"{self.level}", *self.reasons])


def compare_descents(
    reference: DescentOutcome, rerun: DescentOutcome, dtype: str, ulps: int
) -> Verdict:
    """Compare a rerun with its reference.

    Args:
        reference: the recorded descent.
        rerun: the same descent, made again.
        dtype: the dtype in which the rerun computed.
        ulps: the largest distance in ulp at which two numbers count as close.
    """
    reasons: list[str] = []
    outcome = str(reference.status) == str(rerun.status)
    if not outcome:
        reasons.append(f"the reference is {reference.status}, the rerun {rerun.status}")
    recorded, repeated = reference.updates, rerun.updates
    if recorded != repeated:
        outcome = False
        reasons.append(
            f"the reference made {format_count(recorded, 'iteration')}, the rerun {repeated:,}"
        )
    common = min(len(reference.trace), len(rerun.trace))
    trace = compare_arrays(reference.trace[:common], rerun.trace[:common], dtype)
    if trace is not None:
        reasons.append(_losses(trace, common))
    elif recorded != repeated:
        reasons.append(f"the {common:,} losses that both have are bit for bit the same")
    others = [*_other_readings(reference, rerun), *_other_weights(reference, rerun)]
    reasons += others
    kept = reference.final.size or not reference.digests
    form = _shape_difference(reference.final, rerun.final) if kept else ""
    final = None
    if not kept:
        pass
    elif form:
        reasons.append(form)
    else:
        final = compare_arrays(reference.final, rerun.final, dtype)
        if final is not None:
            reasons.append(_numbers(final))
    same = same_bits(reference.trace, rerun.trace) and not others
    if outcome and same and not form and final is None:
        return Verdict(Level.IDENTICAL)
    level = Level.SAME_OUTCOME if outcome else Level.DIFFERENT
    if outcome and kept and not form and all(_near(each, ulps) for each in (trace, final)):
        level = Level.CLOSE
    return Verdict(level, tuple(reasons), trace, final)


def _other_readings(reference: DescentOutcome, rerun: DescentOutcome) -> list[str]:
    """Return which metrics of a training have other readings."""
    found = []
    for name in sorted(reference.readings.keys() | rerun.readings.keys()):
        there, here = (each.readings.get(name) for each in (reference, rerun))
        if there is None or here is None or not same_bits(there, here):
            found.append(f"{name} differs")
    return found


def _other_weights(reference: DescentOutcome, rerun: DescentOutcome) -> list[str]:
    """Return which weights or buffers of a training have another digest."""
    found = []
    for key in ("initial", "final"):
        there, here = (each.digests.get(key, {}) for each in (reference, rerun))
        differ = sorted(n for n in there.keys() | here.keys() if there.get(n) != here.get(n))
        if differ:
            more = f" and {len(differ) - 3:,} more" if len(differ) > 3 else ""
            found.append(f"the {key} weights differ: {', '.join(differ[:3])}{more}")
    return found


def _near(found: ArrayDifference | None, ulps: int) -> bool:
    return found is None or (found.ulps is not None and found.ulps <= ulps)


def _shape_difference(reference: Array, rerun: Array) -> str:
    if reference.dtype != rerun.dtype:
        return f"the final tensor is {reference.dtype} in the reference, {rerun.dtype} in the rerun"
    if reference.shape != rerun.shape:
        return f"the final tensor has shape {reference.shape} in the reference, {rerun.shape} here"
    return ""


def _losses(found: ArrayDifference, common: int) -> str:
    return (
        f"the losses differ first at iteration {found.first[0]:,} ({found.reference!r} there, "
        f"{found.rerun!r} here), {found.count:,} of {common:,} in all, {_apart(found)}"
    )


def _numbers(found: ArrayDifference) -> str:
    where = ", ".join(map(str, found.first))
    return (
        f"the final tensors differ in {found.count:,} of {found.total:,} numbers, first at "
        f"[{where}] ({found.reference!r} there, {found.rerun!r} here), {_apart(found)}"
    )


def _apart(found: ArrayDifference) -> str:
    ulps = "not a number on one side" if found.ulps is None else f"at most {found.ulps:,} ulp"
    return ulps if found.largest is None else f"{ulps}, at most {found.largest:.3g} apart"
