"""What a batch records of its rows block by block: losses, evaluations and gradient norms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gdexp.descent.batch import Piece, Traces, joined_traces
from gdexp.descent.portable.descents import Descents
from gdexp.engine import Block, Counts


class Joined(NamedTuple):
    """The traces of rows.

    Attributes:
        losses: of all iterates.
        counts: the evaluations until each iterate, where the rule searches.
        norms: the gradient norms, where thresholds are of them.
    """

    losses: Traces
    counts: Traces | None
    norms: Traces | None


class Pieces:
    """Traces of rows, in pieces.

    Args:
        losses: the first piece, where rows were saved; so are the others, each of which may be
            missing.
        counts: see `Joined`.
        norms: see `Joined`.
    """

    def __init__(
        self,
        losses: Piece | None = None,
        counts: Piece | None = None,
        norms: Piece | None = None,
    ) -> None:
        self.losses = [] if losses is None else [losses]
        self.counts = [] if counts is None else [counts]
        self.norms = [] if norms is None else [norms]

    def add(self, descents: Descents, block: Block) -> None:
        """Add what a block made."""
        for traced, pieces in ((block.trace, self.losses), (block.norms, self.norms)):
            if traced is not None:
                with np.errstate(all="ignore"):  # what is after a row's end is anything
                    values = traced.astype(descents.plan.dtype)
                pieces.append(Piece(descents.places, block.trace_first, values))
        if descents.searches:
            made = descents.rows.evaluations[:, None].copy()
            self.counts.append(Piece(descents.places, block.trace_first, made))

    def joined(self, updates: Counts, keep: bool = False) -> Joined:
        """Return the traces of rows that made so many updates; unless kept the pieces are used up.

        That is so because twice the losses of a large batch may be too much for the memory.
        """
        losses, counts, norms = (
            list(each) if keep else each for each in (self.losses, self.counts, self.norms)
        )
        return Joined(
            joined_traces(updates, losses),
            joined_traces(updates, counts) if counts else None,
            joined_traces(updates, norms) if norms else None,
        )
