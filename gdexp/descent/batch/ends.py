"""Looking at the losses of a block of iterations: which rows ended in it, where, and why.

What has an entry for every row and iteration stays on the device. Most rows neither end in a
block nor have equal losses in it; of the others alone the losses are fetched and looked at
closely. So a GPU is waited for a few times in a block, however many rows there are.

What is computed there is written once, with the names that numpy and torch share: in the
processor's memory numpy does it in half the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gdexp.descent.batch.blocks import Block, Close
from gdexp.descent.batch.cycles import Array, Point, Repeats
from gdexp.descent.batch.hyperparameters import Hyperparameters
from gdexp.descent.batch.limits import EARLY, Earliest, Limits
from gdexp.descent.batch.listening import Listening
from gdexp.descent.batch.outcome import CODES, Losses, Outcome
from gdexp.descent.batch.result import Integers
from gdexp.descent.cap import Cap
from gdexp.descent.listener import Listeners
from gdexp.descent.minimum import Minimum
from gdexp.descent.stopping import Status

SAVED = (
    *("ended", "converged", "thresholds", "limits", "codes", "goals", "most"),
    *("last", "lowest", "highest"),
)
"""What a later process needs of the rows that are still in the tensor."""


class Ends:
    """Finds the rows that end, and records them.

    Args:
        rules: the hyperparameters of the rows.
        limits: how the rows end; they are left as they are.
        x: the starts.
        minimum: of the problem.
        cap: lowers the limits of the rows after one that converged.
        listeners: one for each row, None where nothing may end it; None: nothing may end any.
    """

    def __init__(
        self,
        rules: Hyperparameters,
        limits: Limits,
        x: torch.Tensor,
        minimum: Minimum,
        cap: Cap | None,
        listeners: Listeners | None = None,
    ) -> None:
        count = x.shape[0]
        self.listening = None if listeners is None else Listening(listeners)
        self.minimum, self.f_star, self.device = minimum, minimum.f_star, x.device
        self.library = library(x.device)
        self.cap = None if cap is None or cap.factor is None else cap
        self.outcome = Outcome(count, x)
        self.repeats = Repeats(rules, self.library, self._there)
        self.open = count
        alike = (limits.limits == limits.limits[0]).all()
        self.midways = np.unique(limits.limits[:1] if alike else limits.limits) // 2
        self.earliest = Earliest()
        # What follows has one entry for each row that is still in the tensor, here …
        self.rows = np.arange(count)
        self.which = rules.which
        self.ended = np.zeros(count, dtype=bool)
        self.converged = np.zeros(count, dtype=bool)  # and only the trace goes on
        self.thresholds, self.limits, self.codes = limits.thresholds, limits.limits, limits.codes
        self.goals, self.most = limits.goals, limits.most
        # … and on the device.
        self.wanted: Array = self._there(self.thresholds)
        self.going: Array = self._there(np.ones(count, dtype=bool))
        self.last: torch.Tensor | None = None
        self.lowest: Array = None
        self.highest: Array = None
        self._note_limits()

    def look(self, k: int, losses: list[torch.Tensor], points: list[Point]) -> Array:
        """Find the rows that ended in the block of iterations that ends at k, and record them.

        Args:
            k: the last iteration of the block.
            losses: of its iterations, each of shape (rows,).
            points: those of the block, after the one before it.

        Returns:
            The losses, shape (iterations, rows); an array of numpy or, on a GPU, a tensor.
        """
        numpy_or_torch, count = self.library, len(losses)
        if self.last is None:
            self.last = torch.full_like(losses[0], torch.nan)
            self.lowest = self._shared(torch.full_like(losses[0], torch.inf))
            self.highest = self._shared(torch.full_like(losses[0], -torch.inf))
        values = self._shared(torch.stack([self.last, *losses]))
        block, own = Block(k - count + 1, count, values, points), values[1:]
        self._note_midway(block.first, k, own)
        low = high = own[0]
        if count > 1:
            low, high = numpy_or_torch.amin(own, 0), numpy_or_torch.amax(own, 0)
        rows = self._suspects(block, low, high)
        if self.listening is not None:
            going = np.flatnonzero(~self.ended & ~self.converged)
            heard = self.listening.due(going, self.rows, k)
            if heard.size:
                self._hear(self.listening, block, self._close(block, heard))
                rows = np.union1d(rows, heard)
        if self.cap is not None and rows.size:
            self._lower_limits(self.cap, block.first, self._close(block, rows))
        if k >= self.next_limit:
            done = np.flatnonzero(~self.ended & (self.limits <= k))
            rows = np.union1d(rows, done) if rows.size else done
        if rows.size:
            continued = self._record(block, self._close(block, rows))
            if continued.size:  # they may end later in the same block
                self._record(block, self._close(block, continued))
                self._note_limits()
        numpy_or_torch.minimum(self.lowest, low, out=self.lowest)
        numpy_or_torch.maximum(self.highest, high, out=self.highest)
        self.last = losses[-1]
        self.repeats.note(k, own[-1], points[-1], self.which)
        return own

    def select(self, left: Integers, index: torch.Tensor) -> None:
        """Keep some of the rows, none of which has ended.

        Args:
            left: their positions in the tensor.
            index: the same on the device.
        """
        there = left if self.library is np else index
        self.repeats.select(there, index)
        self.rows, self.which, self.ended = self.rows[left], self.which[left], self.ended[left]
        self.thresholds, self.limits = self.thresholds[left], self.limits[left]
        self.codes, self.converged = self.codes[left], self.converged[left]
        self.goals, self.most = self.goals[left], self.most[left]
        self.wanted, self.going = self.wanted[there], self.going[there]
        self.last = None if self.last is None else self.last[index]
        self.lowest, self.highest = self.lowest[there], self.highest[there]
        self._note_limits()

    def saved(self) -> dict[str, Any]:
        """Return what is known of the rows that are still in the tensor, between two blocks."""
        return {name: getattr(self, name) for name in SAVED} | {"anchor": self.repeats.saved()}

    def go_on(self, saved: Mapping[str, Any], rows: Integers, there: Integers) -> None:
        """Take over what `saved` returned of some rows: their numbers here, and places there."""
        which, self.open = self.which[rows], len(rows)
        vars(self).update({name: saved[name] for name in SAVED})
        self.repeats.go_on(saved["anchor"])
        count = len(self.ended)
        self.wanted, self.going = self._there(self.thresholds), self._there(np.ones(count, bool))
        self.rows = self.which = np.empty(count, dtype=np.int64)
        self.select(there, torch.from_numpy(there).to(self.device))
        self.rows, self.which = rows, which

    def limit_by(self, limits: Limits) -> None:
        """Give the rows that have not converged the limits that they have by now."""
        runs = np.flatnonzero(~self.converged)
        self.limits[runs] = limits.limits[self.rows[runs]]
        self.codes[runs] = limits.codes[self.rows[runs]]
        self._note_limits()

    def _note_limits(self) -> None:
        going = self.limits[~self.ended]
        if going.size:
            self.next_limit, self.last_limit = int(going.min()), int(going.max())

    def _suspects(self, block: Block, low: Array, high: Array) -> Integers:
        """The rows that may end by their losses or whose state may repeat.

        Args:
            block: the iterations.
            low: the smallest loss of each row; not a number where one is not.
            high: the largest.
        """
        gaps = self.library.asarray(low, dtype=self.library.float64)
        if self.f_star != 0:
            gaps = gaps - self.f_star
        suspect = ~((gaps > self.wanted) & (high < np.inf))
        alike = self.repeats.suspects(block.first, block.losses)
        if alike is not None:
            suspect |= alike
        suspect &= self.going
        if self.library is np:
            return np.flatnonzero(suspect)
        found: Integers = suspect.nonzero().view(-1).cpu().numpy()
        return found

    def _close(self, block: Block, rows: Integers) -> Close:
        """Fetch the losses of some rows, and find where these end them or a state repeats."""
        index = self._there(rows)
        known = (self.lowest, self.highest, *self.repeats.anchored)
        beside = self.library.stack([each[index] for each in known])
        fetched = self._here(self.library.concatenate((block.losses[:, index], beside)))
        losses, beside_rows = fetched[: block.made + 1], fetched[block.made + 1 :]
        wide = fetched.astype(np.float64)
        own = wide[1 : block.made + 1]
        goes_on = (own - self.f_star > self.thresholds[rows]) & (own < np.inf)
        by_loss = _first_false(goes_on)

        def running() -> npt.NDArray[np.bool_]:
            offsets = np.arange(block.made)[:, None]
            in_time: npt.NDArray[np.bool_] = offsets <= self.limits[rows] - block.first
            return in_time & (offsets < by_loss)

        anchor: Losses | None = beside_rows[2] if len(beside_rows) > 2 else None
        repeats = self.repeats.find(
            block.first, losses, anchor, block.points, running, self.which[rows], rows
        )
        lowest, highest = wide[block.made + 1], wide[block.made + 2]
        xs = [point.x for point in block.points[1:]]
        below = self.minimum.below_at(by_loss, own, rows, xs)
        return Close(rows, wide[0], own, lowest, highest, by_loss, below, repeats)

    def _record(self, block: Block, close: Close) -> Integers:
        """Record those rows that ended; return those of them whose traces go on."""
        at = np.minimum(
            close.by_loss, np.clip(self.limits[close.rows] - block.first, 0, block.made)
        )
        if close.repeats is not None:
            at = np.minimum(at, close.repeats[0])
        chosen = np.flatnonzero(at < block.made)
        self.outcome.updates[self.rows[close.rows[chosen]]] = block.first + at[chosen]
        self._end(close.rows[chosen[self.converged[close.rows[chosen]]]])
        chosen = chosen[~self.converged[close.rows[chosen]]]
        if not chosen.size:
            return chosen
        ended, at, own = close.rows[chosen], at[chosen], close.losses[:, chosen]
        by_loss, places = close.by_loss[chosen], np.arange(chosen.size)
        final, rows, outcome = own[at, places], self.rows[ended], self.outcome

        met = np.where(np.isfinite(final), CODES[Status.CONVERGED], CODES[Status.DIVERGED])
        met[close.below[chosen]] = CODES[Status.BELOW_MINIMUM]
        codes = np.where(at == by_loss, met, self.codes[ended])
        if close.repeats is not None:
            by_state, periods = close.repeats[0][chosen], close.repeats[1][chosen]
            stalled = (at == by_state) & (at < by_loss)
            codes[stalled] = CODES[Status.STALLED]
            outcome.periods[rows[stalled]] = periods[stalled]
        outcome.codes[rows] = codes
        outcome.iterations[rows] = block.first + at
        outcome.final_loss[rows] = final
        history = np.concatenate((close.before[None, chosen], own))
        outcome.loss_before[rows] = history[at, places]
        known = (np.arange(block.made)[:, None] <= at) & np.isfinite(own)
        low = np.minimum(close.lowest[chosen], np.where(known, own, np.inf).min(0))
        high = np.maximum(close.highest[chosen], np.where(known, own, -np.inf).max(0))
        none = low == np.inf  # not one finite loss
        outcome.min_loss[rows] = np.where(none, final, low)
        outcome.max_loss[rows] = np.where(none | (final == np.inf), final, high)
        for offset in np.flatnonzero(np.bincount(at)).tolist():
            here = at == offset
            x = block.points[offset + 1].x.detach()
            source, target = (
                torch.from_numpy(each[here]).to(self.device) for each in (ended, rows)
            )
            outcome.final.index_copy_(0, target, x.index_select(0, source))
        goes_on = (codes == CODES[Status.CONVERGED]) & (final - self.f_star > self.goals[ended])
        self._end(ended[~goes_on])
        return self._continue(ended[goes_on])

    def _end(self, rows: Integers) -> None:
        """Note that the traces of some rows have ended."""
        self.ended[rows] = True
        self.going[self._there(rows)] = False
        self.open -= rows.size

    def _continue(self, rows: Integers) -> Integers:
        """Let the traces of some rows that converged go on; return the rows."""
        self.converged[rows] = True
        self.thresholds[rows], self.limits[rows] = self.goals[rows], self.most[rows]
        self.wanted[self._there(rows)] = self._there(self.goals[rows])
        return rows

    def _hear(self, listening: Listening, block: Block, close: Close) -> None:
        """End those rows that their listeners end."""
        numbers, limits = self.rows[close.rows], self.limits[close.rows]
        for place, end in listening.early_ends(block, close, numbers, limits):
            row = close.rows[place]
            self.limits[row], self.codes[row] = end.iteration, CODES[end.status]
        self._note_limits()

    def _lower_limits(self, cap: Cap, first: int, close: Close) -> None:
        """Let every row that converges in the block limit those after it.

        Only those after it, so that each row gets the limit that it would have if the rows ran
        one after the other. A row's limit is known in time: it is set at iteration k by a row
        that converges then, and is not below k. Of two rows that converged, the later one in
        both senses and with the looser threshold limits nothing more.
        """
        by_loss = close.by_loss
        met = (by_loss < len(close.losses)) & ~close.below & ~self.converged[close.rows]
        if close.repeats is not None:
            met &= by_loss <= close.repeats[0]
        events = np.flatnonzero(met)
        events = events[np.isfinite(close.losses[by_loss[events], events])]
        for event in events[np.argsort(by_loss[events], kind="stable")].tolist():
            row, k = close.rows[event], first + int(by_loss[event])
            place, threshold = int(self.rows[row]), float(self.thresholds[row])
            if k > self.limits[row] or not self.earliest.add(threshold, place):
                continue
            limit = cap.limit_after(k)
            later = (self.rows > place) & (self.thresholds >= threshold) & ~self.converged
            lowered = later & (self.limits > limit)
            lowered |= later & (self.limits == limit) & np.isin(self.codes, EARLY)
            self.limits[lowered] = limit
            self.codes[lowered] = CODES[Status.CAPPED]
        self._note_limits()

    def _note_midway(self, first: int, k: int, losses: Array) -> None:
        """Keep the loss in the middle of each row's allowance, for the projected hitting time."""
        low, high = np.searchsorted(self.midways, [first, k + 1])
        if low == high:
            return
        middle = self.limits // 2
        here = np.flatnonzero((middle >= first) & (middle <= k))
        values = losses[self._there(middle[here] - first), self._there(here)]
        self.outcome.loss_midway[self.rows[here]] = self._here(values)

    def _there(self, values: npt.NDArray[Any]) -> Array:
        """An array of numpy on the device."""
        return values if self.library is np else torch.from_numpy(values).to(self.device)

    def _shared(self, tensor: torch.Tensor) -> Array:
        """A tensor on the device as an array there."""
        return tensor.numpy() if self.library is np else tensor

    def _here(self, values: Array) -> npt.NDArray[Any]:
        """An array on the device as one of numpy."""
        found: npt.NDArray[Any] = values if self.library is np else values.cpu().numpy()
        return found


def library(device: torch.device) -> ModuleType:
    """What computes with the losses that are on a device: numpy or torch."""
    return np if device.type == "cpu" else torch


def _first_false(values: npt.NDArray[np.bool_]) -> Integers:
    """For each column the first row that is False; the number of rows where none is."""
    return np.where(values.all(0), len(values), values.argmin(0))
