"""The batches of a training, epoch by epoch, and the place among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import torch

from gdexp.checkpoints import generator_states, restore_generators
from gdexp.core import BadInput, GdexpError
from gdexp.training.random_state import seed_generators, unchanged_generators
from gdexp.training.training import Training
from gdexp.training.weights import tensor_digest

OTHER_SEED = 0x6765786264
"""A seed that no run is likely to have."""


class Batches:
    """The batches of a training.

    Its place is kept as the epoch, the batches taken of it, and the random generators as they
    were at the epoch's start: the epoch is made again and skipped to the place. Then the generators
    get the states from before the last batches were taken, which are made once more and compared.
    A batch may so depend on numbers that were drawn between batches.

    Where `batches` returns an object with `state_dict` and `load_state_dict`, such as torchdata's
    loaders, the place is its state.

    Args:
        training: the user's object.
        generator: decides the order of the batches.
        name: of the training, for errors.

    Attributes:
        epoch: the epochs that were begun.
    """

    def __init__(self, training: Training, generator: torch.Generator, name: str) -> None:
        self._training, self._generator, self._name = training, generator, name
        self.epoch = 0
        self._source: Any = None
        self._iterator: Iterator[Any] | None = None
        self._taken = 0
        self._at_start: dict[str, Any] = {}
        self._before_last: dict[str, Any] | None = None
        self._last: list[Any] = []

    def take(
        self, count: int, most_epochs: int | None, end_epoch: Callable[[], None], mark: bool = False
    ) -> list[Any]:
        """Return the batches of the next update, of one epoch; the next epoch begins after it.

        Args:
            count: of batches; the last update of an epoch may have fewer.
            most_epochs: there are no batches after so many epochs; None: after none.
            end_epoch: called after the last update of an epoch.
            mark: keep what `state_dict` needs.

        Raises:
            BadInput: the first epoch has no batches.
            GdexpError: a later one has none.
        """
        found = self._next(count, mark)
        if not found:
            if self.epoch:
                end_epoch()
            if self.epoch == most_epochs:
                return []
            self._begin_epoch()
            found = self._next(count, mark)
            if not found:
                raise self._no_batches()
        return [self._training.to(each) for each in found]

    def check_order(self) -> None:
        """Make the first batch twice, from equal generators and other ones of the process.

        What the generators of torch, Python and numpy add to a batch, such as noise, is no order:
        where the batches differ, they must depend on the given generator too. All generators are
        restored.

        Raises:
            BadInput: the batches cannot be repeated, or the generator does not decide their order.
        """
        with unchanged_generators(self._generator):
            here = generator_states(self._generator)
            first, other = self._first(here), self._first(here, process=OTHER_SEED)
            if first == other:
                return
            if first != self._first(here):
                why = "its first batch differs between two calls with equal random generators"
            elif first == self._first(here, own=OTHER_SEED):
                why = "its first batch depends on the random generators of the process alone"
            else:
                return
        why += "; any order must come from the generator that batches is given"
        if getattr(self._training.batches(self._generator), "persistent_workers", False):
            why += ", and a loader with persistent_workers must be made in each call"
        raise BadInput("problem", self._name, why)

    def _first(
        self, states: Mapping[str, Any], process: int | None = None, own: int | None = None
    ) -> str:
        """Return the digest of the first batch of an epoch.

        Args:
            states: of all generators.
            process: another seed of the process's generators.
            own: another seed of the generator that `batches` is given.
        """
        restore_generators(states, self._generator)
        if process is not None:
            seed_generators(process)
        if own is not None:
            self._generator.manual_seed(own)
        return batch_digest(next(iter(self._training.batches(self._generator)), None))

    def close(self) -> None:
        """End a loader's workers and a generator's `finally`."""
        self._source = self._iterator = None
        self._last = []

    def state_dict(self) -> dict[str, Any]:
        """Return the place after batches that were taken with `mark`."""
        assert self._before_last is not None, "mark was not given"
        loader = self._source.state_dict() if _has_state(self._source) else None
        return {
            "epoch": self.epoch,
            "taken": self._taken,
            "at_start": self._at_start,
            "before_last": self._before_last,
            "last": [batch_digest(each) for each in self._last],
            "loader": loader,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to the place of a state; the random generators are somewhere else afterwards.

        Raises:
            GdexpError: the batches are others than before.
        """
        restore_generators(state["at_start"], self._generator)
        self._begin_epoch()
        self.epoch, self._taken = state["epoch"], state["taken"]
        last = state["last"]
        if state["loader"] is not None:
            if not _has_state(self._source):
                raise GdexpError(self._refusal("its batches no longer have load_state_dict"))
            self._source.load_state_dict(state["loader"])
            self._iterator = iter(self._source)
            return
        assert self._iterator is not None, "the epoch has begun"
        skipped = self._taken - len(last)
        for _ in islice(self._iterator, skipped):
            pass
        restore_generators(state["before_last"], self._generator)
        again = [batch_digest(each) for each in islice(self._iterator, len(last))]
        if again != last:
            what = f"batch {self._taken} of epoch {self.epoch} is another one than before"
            why = "; its order must come from the generator that `batches` is given, its data stay"
            raise GdexpError(self._refusal(what + why))

    def _begin_epoch(self) -> None:
        self._at_start = generator_states(self._generator)
        self._source = self._training.batches(self._generator)
        self._iterator = iter(self._source)
        self.epoch += 1
        self._taken = 0

    def _next(self, count: int, mark: bool) -> list[Any]:
        if self._iterator is None:
            return []
        before = generator_states(self._generator) if mark else None
        found = list(islice(self._iterator, count))
        self._taken += len(found)
        self._before_last, self._last = before, found if mark else []
        return found

    def _no_batches(self) -> GdexpError:
        """Return the error of an epoch without batches: only the first is found beforehand."""
        why = f"its batches returned none for epoch {self.epoch}"
        if self.epoch == 1:
            return BadInput("problem", self._name, why)
        return GdexpError(f"problem={self._name}: {why}; it is called again for each epoch")

    def _refusal(self, reason: str) -> str:
        return f"problem={self._name}: cannot be resumed: {reason}"


def batch_digest(batch: object) -> str:
    """Return the sha256 of a batch: of its tensors, numbers and texts, in nested containers."""
    total = hashlib.sha256()
    for each in _leaves(batch):
        total.update(each.encode() + b"\n")
    return total.hexdigest()


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, torch.Tensor):
        yield tensor_digest(value) if value.layout is torch.strided else str(value)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield repr(key)
            yield from _leaves(each)
    elif isinstance(value, list | tuple):
        yield f"{len(value)}"
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, bool | int | float | str | bytes | None):
        yield repr(value)
    elif hasattr(value, "tobytes") and hasattr(value, "shape"):
        yield hashlib.sha256(value.tobytes()).hexdigest()
    else:
        yield type(value).__name__


def _has_state(source: object) -> bool:
    return all(callable(getattr(source, name, None)) for name in ("state_dict", "load_state_dict"))
