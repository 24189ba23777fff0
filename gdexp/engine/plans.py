"""Plans that were made, kept for the next descents of the same problem.

A plan is recorded from a loss that is Python code, and stands for it later. So it is kept under
all that a problem's attributes show of what decided the recording. What they do not show, such as
a global variable of the user's module, is found by the comparison of the first losses
(`gdexp.descent.portable`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from gdexp.engine.fingerprint import HIDDEN, fingerprint
from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.program import Program
from gdexp.engine.stored_plan import StoredPlan
from gdexp.engine.tensor_digests import TensorDigests

ATTRIBUTE = f"{HIDDEN}plans"
"""A problem's own plans."""

KEPT = 16
"""Plans of one problem; the one that was used longest ago is dropped first."""


@dataclass
class Prepared:
    """A plan with what runs it.

    Attributes:
        plan: the plan.
        checked: whether it agreed with torch all along its first descent.
        engines: what computes it, by device and threads.
        double: the loss in float64, where it was asked for.
        nanoseconds: a guess at the time of an iteration.
        stored: the plan as data, once it was asked for.
    """

    plan: Plan
    checked: bool = False
    engines: dict[Hashable, Any] = field(default_factory=dict)
    double: Program | NotPortable | None = None
    nanoseconds: float | None = None
    stored: StoredPlan | None = None

    def as_data(self, describe: Callable[[Plan], StoredPlan]) -> StoredPlan:
        """Return the plan as data, with the loss in float64 if that was made.

        Args:
            describe: adds what the plan does not know; it is asked once.
        """
        double = self.double if isinstance(self.double, Program) else None
        if self.stored is None:
            self.stored = describe(self.plan)
        if self.stored.double is not double:
            self.stored = replace(self.stored, double=double)
        return self.stored


class Key(NamedTuple):
    """What decided a recording: the problem, dtype and shape, and the update rule."""

    problem: Hashable
    kind: Hashable
    rule: Hashable


class Plans:
    """Plans by what decided their recording; refusals are kept too.

    Every problem has its own, unless others are given: equal problems, such as those of a sweep's
    trials, share them then. They are not copied or pickled with a problem.

    Args:
        kept: the most plans; the one that was used longest ago is dropped first.
        known: whether the losses are known to be portable, as those of shipped problems are: the
            comparison with torch is then at one start, for one update rule.
        optimise: whether machine code is made fast rather than soon; few descents want it soon.
    """

    def __init__(self, kept: int = KEPT, known: bool = False, optimise: bool = True) -> None:
        self._kept, self.losses_known, self.optimise = kept, known, optimise
        self._agreed: set[Hashable] = set()
        self._known: OrderedDict[Key, tuple[Prepared | NotPortable, list[object]]]
        self._known = OrderedDict()
        self._losses: OrderedDict[Hashable, Program | NotPortable] = OrderedDict()
        self._digests = TensorDigests()

    def get(
        self,
        problem: object,
        kind: Hashable,
        rule: Hashable,
        record: Callable[[], Program],
        make: Callable[[Program], Plan],
    ) -> Kept:
        """Return the plan of a problem, made if it is new.

        Args:
            problem: what is recorded.
            kind: what else decides the recording of the loss: dtype and shape.
            rule: what decides the recording of the update.
            record: returns the program of the loss.
            make: returns the plan with this program.

        Raises:
            NotPortable: there is none.
        """
        shown, held = fingerprint(problem, self._digests)
        key = Key(shown, kind, rule)
        entry = self._known.get(key)
        found = self._made(key, record, make) if entry is None else entry[0]
        # What the key names by its id must live as long.
        self._known[key] = found, held
        self._known.move_to_end(key)
        while len(self._known) > self._kept:
            self._known.popitem(last=False)
        if isinstance(found, NotPortable):
            raise NotPortable(found.reason, found.place)
        return Kept(found, self, key)

    def _made(
        self, key: Key, record: Callable[[], Program], make: Callable[[Program], Plan]
    ) -> Prepared | NotPortable:
        """Return a new plan; the program of the loss is one for all rules."""
        place = (key.problem, key.kind)
        try:
            loss = self._losses.get(place)
            if loss is None:
                loss = self._losses[place] = record()
            if isinstance(loss, NotPortable):
                return loss
            return Prepared(make(loss), checked=place in self._agreed)
        except NotPortable as error:
            if place not in self._losses:
                self._losses[place] = error
            return error
        finally:
            while len(self._losses) > self._kept:
                self._losses.popitem(last=False)

    def agreed(self, key: Key) -> None:
        """Keep that a loss that is known to be portable agreed with torch, for every rule."""
        if self.losses_known:
            self._agreed.add((key.problem, key.kind))

    def refuse(self, key: Key, error: NotPortable) -> None:
        """Keep in place of a plan that it disagreed with torch."""
        if key in self._known:
            self._known[key] = error, self._known[key][1]

    def drop(self, key: Key) -> None:
        """Forget a plan, and the program of its loss."""
        self._known.pop(key, None)
        self._losses.pop((key.problem, key.kind), None)

    def __copy__(self) -> Plans:
        return Plans()

    def __deepcopy__(self, memo: dict[int, Any]) -> Plans:
        return Plans()

    def __reduce__(self) -> tuple[type[Plans], tuple[()]]:
        return Plans, ()


class Kept(NamedTuple):
    """A plan, where it is kept and under which key."""

    prepared: Prepared
    plans: Plans
    key: Key


class StoredPlans(Plans):
    """One plan that was stored, in place of all that a recording would give.

    The descents that it is for must have its dtype, shape and update rule.

    Args:
        stored: the plan.
    """

    def __init__(self, stored: StoredPlan) -> None:
        super().__init__()
        self.stored = stored
        self._prepared = Prepared(stored.plan, checked=True, double=stored.double, stored=stored)

    def get(
        self,
        problem: object,
        kind: Hashable,
        rule: Hashable,
        record: Callable[[], Program],
        make: Callable[[Program], Plan],
    ) -> Kept:
        """Return the plan; nothing is recorded."""
        return Kept(self._prepared, self, Key(None, kind, rule))

    def __deepcopy__(self, memo: dict[int, Any]) -> Plans:
        return StoredPlans(self.stored)


def plans_of(problem: object) -> Plans:
    """Return the plans that a problem keeps; new ones where it cannot keep any."""
    kept = vars(problem).get(ATTRIBUTE)
    if not isinstance(kept, Plans):
        kept = Plans()
        vars(problem)[ATTRIBUTE] = kept
    return kept
