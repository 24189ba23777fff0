"""What a rerun proves: identical, or how far from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gdexp.reruns.bits import Difference, difference, same_bits
from gdexp.reruns.causes import Cause
from gdexp.tracking import Array

NOTHING, DIFFERS = 3, 4
"""Exit statuses: nothing to compare with; something differs."""


class Level(StrEnum):
    """How well a rerun agrees with its reference, best first."""

    IDENTICAL = "identical"
    CLOSE = "close"
    SAME_OUTCOME = "same outcome"
    DIFFERENT = "different"
    NO_REFERENCE = "no reference"
    DAMAGED = "damaged reference"

    def exit_status(self, accept: str = "identical") -> int:
        """0 where it is at least as good as what is accepted, else 3 or 4."""
        if self is Level.NO_REFERENCE:
            return NOTHING
        order = list(Level)
        return 0 if order.index(self) <= order.index(Level(accept)) else DIFFERS


ACCEPTED = (Level.IDENTICAL, Level.CLOSE, Level.SAME_OUTCOME)


class Made(Protocol):
    """What is compared of a descent, recorded or made just now."""

    @property
    def status(self) -> str:
        """Why it ended."""

    @property
    def trace(self) -> Array:
        """The loss at iterations 0 … n."""

    @property
    def final(self) -> Array:
        """The last point, as it is stored."""


@dataclass(frozen=True)
class Verdict:
    """How a rerun compares with its reference.

    Attributes:
        level: the verdict.
        reasons: what differs, one sentence each; empty when identical.
        trace: how the losses differ that both have; None when no bit does.
        final: how the final tensors differ; None when no bit does or they have no common shape.
        causes: what could explain it, most likely first.
    """

    level: Level
    reasons: tuple[str, ...] = ()
    trace: Difference | None = None
    final: Difference | None = None
    causes: tuple[Cause, ...] = field(default=())

    def __str__(self) -> str:
        return "; ".join([f"{self.level}", *self.reasons])


def compared(reference: Made, rerun: Made, dtype: str, ulps: int) -> Verdict:
    """Compare a rerun with its reference.

    Args:
        reference: as it was recorded.
        rerun: the same descent, made again.
        dtype: that the rerun computed in.
        ulps: that two numbers may be apart to be called close.
    """
    reasons: list[str] = []
    outcome = str(reference.status) == str(rerun.status)
    if not outcome:
        reasons.append(f"the reference is {reference.status}, the rerun {rerun.status}")
    there, here = len(reference.trace) - 1, len(rerun.trace) - 1
    if there != here:
        outcome = False
        reasons.append(f"the reference made {iterations(there)}, the rerun {here:,}")
    common = min(there, here) + 1
    trace = difference(reference.trace[:common], rerun.trace[:common], dtype)
    if trace is not None:
        reasons.append(_losses(trace, common))
    elif there != here:
        reasons.append(f"the {common:,} losses that both have are bit for bit the same")
    form = _form(reference.final, rerun.final)
    final = None
    if form:
        reasons.append(form)
    else:
        final = difference(reference.final, rerun.final, dtype)
        if final is not None:
            reasons.append(_numbers(final))
    if outcome and same_bits(reference.trace, rerun.trace) and not form and final is None:
        return Verdict(Level.IDENTICAL)
    level = Level.SAME_OUTCOME if outcome else Level.DIFFERENT
    if outcome and not form and all(_near(each, ulps) for each in (trace, final)):
        level = Level.CLOSE
    return Verdict(level, tuple(reasons), trace, final)


def _near(found: Difference | None, ulps: int) -> bool:
    return found is None or (found.ulps is not None and found.ulps <= ulps)


def _form(there: Array, here: Array) -> str:
    if there.dtype != here.dtype:
        return f"the final tensor is {there.dtype} in the reference, {here.dtype} in the rerun"
    if there.shape != here.shape:
        return f"the final tensor has shape {there.shape} in the reference, {here.shape} here"
    return ""


def _losses(found: Difference, common: int) -> str:
    return (
        f"the losses differ first at iteration {found.first[0]:,} ({found.there!r} there, "
        f"{found.here!r} here), {found.count:,} of {common:,} in all, {_apart(found)}"
    )


def _numbers(found: Difference) -> str:
    where = ", ".join(map(str, found.first))
    return (
        f"the final tensors differ in {found.count:,} of {found.total:,} numbers, first at "
        f"[{where}] ({found.there!r} there, {found.here!r} here), {_apart(found)}"
    )


def _apart(found: Difference) -> str:
    ulps = "not a number on one side" if found.ulps is None else f"at most {found.ulps:,} ulp"
    return ulps if found.largest is None else f"{ulps}, at most {found.largest:.3g} apart"


def iterations(count: int) -> str:
    """A count of iterations in words."""
    return "1 iteration" if count == 1 else f"{count:,} iterations"
