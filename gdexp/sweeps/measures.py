"""What the thresholds of a sweep's trials are of: one thing for all."""

from __future__ import annotations

from collections.abc import Sequence

from gdexp.core import BadInput
from gdexp.descent import GRADIENT_NORM, RELATIVE

KEY = "stopping.measure"


def check_measure(
    measure: object, swept: Sequence[object], seeds: int, continue_to: float | None
) -> None:
    """Refuse trials whose thresholds cannot be compared.

    Args:
        measure: of all trials.
        swept: the measures that trials choose from, if they do.
        seeds: the starts of a trial.
        continue_to: where the traces go on to.

    Raises:
        BadInput: some thresholds are of the gap and others of the gradient norm, or they are
            shares of the gaps at several starts.
    """
    if GRADIENT_NORM in swept:
        why = f"must be one: a threshold of {GRADIENT_NORM} compares with none of the gap"
        raise BadInput(KEY, "swept", why)
    if measure != RELATIVE:
        return
    why = f"with {KEY}={RELATIVE}: each start has a threshold of its own"
    if seeds > 1:
        raise BadInput("sweep.seeds", seeds, f"must be 1 {why}")
    if continue_to is not None:
        raise BadInput("sweep.continue_to", continue_to, f"must be null {why}")
