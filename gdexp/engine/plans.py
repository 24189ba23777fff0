"""Plans that were made, kept for the next descents of the same problem.

A plan is recorded from a loss that is Python code, and stands for it later. So it is kept under
all that a problem's attributes show of what decided the recording. What they do not show, such as
a global variable of the user's module, is found by the comparison of the first losses
(`gdexp.descent.portable`).
"""

from __future__ import annotations

import types
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from gdexp.engine.not_portable import NotPortable
from gdexp.engine.plan import Plan
from gdexp.engine.program import Program
from gdexp.engine.stored_plan import StoredPlan

HIDDEN = "_gdexp_"
"""How the names of attributes begin that gdexp keeps with a problem and that decide nothing."""

ATTRIBUTE = f"{HIDDEN}plans"
"""A problem's own plans."""

KEPT = 16
"""Plans of one problem; the one that was used last is dropped last."""

DEPTH, LONGEST = 6, 256
"""Of containers in a problem's attributes that are looked into."""


@dataclass
class Prepared:
    """A plan with what runs it.

    Attributes:
        plan: the plan.
        checked: whether it agreed with torch all along its first descent.
        engines: what computes it, by device and threads.
        double: the loss in float64, where it was asked for.
        held: the objects that its key names by their ids.
        nanoseconds: a guess at the time of an iteration.
        stored: the plan as data, once it was asked for.
    """

    plan: Plan
    checked: bool = False
    engines: dict[Hashable, Any] = field(default_factory=dict)
    double: Program | NotPortable | None = None
    held: list[object] = field(default_factory=list)
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


class Plans:
    """Plans by what decided their recording; refusals are kept too.

    Every problem has its own. They are not copied or pickled with it.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Prepared | NotPortable] = OrderedDict()

    def get(self, key: Hashable, held: list[object], make: Callable[[], Plan]) -> Prepared:
        """Return the plan under a key, made if it is new.

        Args:
            key: see `fingerprint`.
            held: the objects that the key names by their ids: they must live as long.
            make: returns the plan.

        Raises:
            NotPortable: there is none.
        """
        found = self._known.get(key)
        if found is None:
            try:
                found = Prepared(make(), held=held)
            except NotPortable as error:
                found = error
            self._known[key] = found
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        if isinstance(found, NotPortable):
            raise NotPortable(found.reason, found.place)
        return found

    def refuse(self, key: Hashable, error: NotPortable) -> None:
        """Keep in place of a plan that it disagreed with torch."""
        self._known[key] = error

    def drop(self, key: Hashable) -> None:
        """Forget a plan."""
        self._known.pop(key, None)

    def __copy__(self) -> Plans:
        return Plans()

    def __deepcopy__(self, memo: dict[int, Any]) -> Plans:
        return Plans()

    def __reduce__(self) -> tuple[type[Plans], tuple[()]]:
        return Plans, ()


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

    def get(self, key: Hashable, held: list[object], make: Callable[[], Plan]) -> Prepared:
        """Return the plan; nothing is recorded."""
        return self._prepared

    def __deepcopy__(self, memo: dict[int, Any]) -> Plans:
        return StoredPlans(self.stored)


def plans_of(problem: object) -> Plans:
    """Return the plans that a problem keeps; new ones where it cannot keep any."""
    kept = vars(problem).get(ATTRIBUTE)
    if not isinstance(kept, Plans):
        kept = Plans()
        vars(problem)[ATTRIBUTE] = kept
    return kept


def fingerprint(problem: object) -> tuple[Hashable, list[object]]:
    """Return what a problem's attributes show of its loss, and the objects named by their ids.

    Numbers and texts are there by value, tensors and modules by identity and version, containers
    and functions with what they hold, everything else by identity.
    """
    held: list[object] = []
    attributes = tuple(
        (name, _token(value, held, DEPTH))
        for name, value in vars(problem).items()
        if not name.startswith(HIDDEN)
    )
    return (type(problem), attributes), held


_PLAIN = (int, float, complex, str, bytes, bool, type(None), torch.dtype, torch.device)


def _token(value: object, held: list[object], depth: int) -> Hashable:
    kind = type(value)
    if kind in _PLAIN:
        return (kind, repr(value) if kind is float else value)
    held.append(value)
    if isinstance(value, torch.Tensor):
        return (id(value), value._version)
    if depth == 0 or (isinstance(value, list | tuple | dict) and len(value) > LONGEST):
        return id(value)
    if isinstance(value, list | tuple):
        return (kind, tuple(_token(each, held, depth - 1) for each in value))
    if isinstance(value, dict):
        pairs = value.items()
        return (
            kind,
            tuple((_token(k, held, depth - 1), _token(v, held, depth - 1)) for k, v in pairs),
        )
    if isinstance(value, torch.nn.Module):
        numbers = (*value.parameters(), *value.buffers())
        held.extend(numbers)
        return (id(value), value.training, tuple((id(n), n._version) for n in numbers))
    if isinstance(value, types.MethodType):
        return (_token(value.__func__, held, depth), _token(value.__self__, held, depth - 1))
    if isinstance(value, types.FunctionType):
        cells = tuple(_token(_content(cell), held, depth - 1) for cell in value.__closure__ or ())
        return (id(value.__code__), cells, _token(value.__defaults__, held, depth - 1))
    inner = getattr(value, "__dict__", None)
    if inner and not isinstance(value, type | types.ModuleType):
        own = {name: each for name, each in inner.items() if not str(name).startswith(HIDDEN)}
        return (id(value), _token(own, held, depth - 1))
    return id(value)


def _content(cell: types.CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None
