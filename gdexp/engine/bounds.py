"""How far rounding can carry a computation from the true result: a running error analysis.

Each number carries a bound on the difference of two computations of the same formulas, with sums
in any order (J. H. Wilkinson, Error analysis revisited, 1986; N. J. Higham, Accuracy and
Stability of Numerical Algorithms, 2002, section 3.3). u is the unit roundoff of the program's
dtype; the numbers themselves are computed in double precision. To first order:

- a + b and a - b: both errors, and u |result|;
- a * b: |a| times b's error and |b| times a's, and u |result|;
- a / b: a's error and |result| times b's, divided by |b| less its error, and u |result|;
- the square root: a's error divided by 2 |result|, at most its square root, and u |result|;
- an elementary function: its derivative times the error, and `FUNCTION` u |result|;
- a sum of n numbers: all errors, and `(4 + sqrt(n)) u` times the sum of the absolute terms;
- a comparison of numbers that are nearer than their errors may go either way: what is selected by
  it has in addition the distance of the two choices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gdexp.engine.builder import Builder, Value
from gdexp.engine.operations import Kind
from gdexp.engine.program import Array, Node

Doubles = npt.NDArray[np.float64]

FUNCTION = 4
"""The error of an elementary function, in units of u |result|."""

ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}


class Bounded(NamedTuple):
    """Numbers with their bounds; of booleans the bound is 1 where they may be either."""

    value: Array
    error: Doubles


@dataclass
class BoundBuilder(Builder):
    """A builder that computes what it is given at once, with bounds.

    Args:
        dtype: float32 or float64.
        given: the inputs by name.
    """

    given: Mapping[str, Array] = field(default_factory=dict)
    _results: list[Bounded] = field(default_factory=list)

    def bounded(self, value: Value) -> Bounded:
        """Return the numbers of a value with their bounds."""
        return self._results[value.position]

    def view(
        self, value: Value, shape: Sequence[int], offset: int, strides: Sequence[int]
    ) -> Value:
        """Return a view; none is joined with another one."""
        return self._plain_view(value, tuple(shape), offset, tuple(strides))

    def elementary(self, name: str, *values: Value) -> Value:
        """Return an elementary function of `gdexp.engine.functions`, computed in double."""
        shape = np.broadcast_shapes(*(value.shape for value in values))
        positions = tuple(self.expand(value, shape).position for value in values)
        return self._add(f"elementary {name}", positions, shape, Kind.FLOAT)

    def _add(
        self,
        operation: str,
        inputs: tuple[int, ...],
        shape: tuple[int, ...],
        kind: Kind,
        detail: tuple[int, ...] | str = (),
    ) -> Value:
        value = super()._add(operation, inputs, shape, kind, detail)
        if value.position == len(self._results):
            node = self._nodes[value.position]
            with np.errstate(all="ignore"):
                self._results.append(self._compute(node, [self._results[i] for i in inputs]))
        return value

    def _compute(self, node: Node, given: list[Bounded]) -> Bounded:
        u = ROUNDOFF[self.dtype]
        if node.operation in _RULES:
            value, error = _RULES[node.operation](*given)
            return Bounded(value, error + (u * np.abs(value) if value.dtype != bool else 0))
        if node.operation in _LOGIC:
            return _LOGIC[node.operation](*given)
        if node.operation.startswith("elementary "):
            value, error = _FUNCTIONS[node.operation.split()[1]](*given)
            return Bounded(value, error + FUNCTION * u * np.abs(value))
        if node.operation == "input":
            array = self.given[str(node.detail)].reshape(node.shape)
            return Bounded(array.astype(np.float64), np.zeros(node.shape))
        return self._structural(node, given, u)

    def _structural(self, node: Node, given: list[Bounded], u: float) -> Bounded:
        detail = node.detail
        assert not isinstance(detail, str)
        if node.operation == "constant":
            array = self._constants[detail[0]]
            as_float = array.astype(np.float64) if node.kind is Kind.FLOAT else array
            return Bounded(as_float, np.zeros(node.shape))
        if node.operation == "concatenate":
            return Bounded(*(np.concatenate([g[i].ravel() for g in given]) for i in (0, 1)))
        value, error = given[0]
        if node.operation == "view":
            offset, *strides = detail
            return Bounded(*(_view(each, node.shape, offset, strides) for each in (value, error)))
        if node.operation == "sum":
            share = u * (4 + math.sqrt(value.shape[-1]))
            return Bounded(value.sum(-1), error.sum(-1) + share * np.abs(value).sum(-1))
        index = self._constants[detail[0]]
        if node.operation == "take":
            return Bounded(value.ravel()[index], error.ravel()[index])
        return _scattered(given[0], given[1], index, u)


def _scattered(base: Bounded, added: Bounded, index: Array, u: float) -> Bounded:
    value, error, size = base.value.copy(), base.error.copy(), np.abs(base.value)
    np.add.at(value.reshape(-1), index, added.value)
    np.add.at(error.reshape(-1), index, added.error)
    np.add.at(size.reshape(-1), index, np.abs(added.value))
    share = u * (4 + math.sqrt(index.size))
    return Bounded(value, error + share * size)


def _view(array: Array, shape: tuple[int, ...], offset: int, strides: list[int]) -> Array:
    flat = np.ascontiguousarray(array).reshape(-1)
    steps = [stride * flat.itemsize for stride in strides]
    view: Array = np.lib.stride_tricks.as_strided(flat[offset:], shape, steps).copy()
    return view


def _multiply(a: Bounded, b: Bounded) -> tuple[Array, Doubles]:
    first = np.where(b.error > 0, np.abs(a.value) * b.error, 0)
    return a.value * b.value, first + np.where(a.error > 0, np.abs(b.value) * a.error, 0)


def _divide(a: Bounded, b: Bounded) -> tuple[Array, Doubles]:
    value = a.value / b.value
    room = np.maximum(np.abs(b.value) - b.error, 0)
    change = a.error + np.where(b.error > 0, np.abs(value) * b.error, 0)
    return value, np.where(change > 0, change / room, 0)


def _sqrt(a: Bounded) -> tuple[Array, Doubles]:
    value = np.sqrt(a.value)
    return value, np.minimum(np.where(a.error > 0, a.error / (2 * value), 0), np.sqrt(a.error))


def _compared(compare: Callable[[Array, Array], Array]) -> Callable[..., Bounded]:
    def compared(a: Bounded, b: Bounded) -> Bounded:
        error = a.error + b.error
        near = (error > 0) & ~(np.abs(a.value - b.value) > error)
        return Bounded(compare(a.value, b.value), near.astype(np.float64))

    return compared


def _selected(where: Bounded, a: Bounded, b: Bounded) -> Bounded:
    value = np.where(where.value, a.value, b.value)
    error = np.where(where.value, a.error, b.error)
    either = np.maximum(a.error, b.error) + np.abs(a.value - b.value)
    return Bounded(value, np.where(where.error > 0, either, error))


def _either(combine: Callable[[Array, Array], Array]) -> Callable[..., Bounded]:
    return lambda a, b: Bounded(combine(a.value, b.value), np.maximum(a.error, b.error))


_RULES: dict[str, Callable[..., tuple[Array, Doubles]]] = {
    "add": lambda a, b: (a.value + b.value, a.error + b.error),
    "subtract": lambda a, b: (a.value - b.value, a.error + b.error),
    "multiply": _multiply,
    "divide": _divide,
    "sqrt": _sqrt,
}

_LOGIC: dict[str, Callable[..., Bounded]] = {
    "negative": lambda a: Bounded(-a.value, a.error),
    "absolute": lambda a: Bounded(np.abs(a.value), a.error),
    "less": _compared(np.less),
    "less_equal": _compared(np.less_equal),
    "equal": _compared(np.equal),
    "not_equal": _compared(np.not_equal),
    "select": _selected,
    "and": _either(np.logical_and),
    "or": _either(np.logical_or),
    "not": lambda a: Bounded(~a.value, a.error),
}


def _function(
    compute: Callable[[Doubles], Doubles], slope: Callable[[Doubles, Doubles], Doubles]
) -> Callable[..., tuple[Array, Doubles]]:
    """Return the rule of a function; its slope is of the argument and the result."""

    def rule(a: Bounded) -> tuple[Array, Doubles]:
        value = compute(a.value)
        return value, np.where(a.error > 0, np.abs(slope(a.value, value)) * a.error, 0)

    return rule


def _sigmoid(x: Doubles) -> Doubles:
    result: Doubles = np.exp(-np.logaddexp(0, -x))
    return result


def _erf(x: Doubles) -> Doubles:
    return np.vectorize(math.erf, otypes=[float])(x) if x.size else x


def _pow(a: Bounded, b: Bounded) -> tuple[Array, Doubles]:
    value = np.power(a.value, b.value)
    first = np.where(a.error > 0, np.abs(b.value * value / a.value) * a.error, 0)
    second = np.where(b.error > 0, np.abs(value * np.log(a.value)) * b.error, 0)
    return value, first + second


_FUNCTIONS: dict[str, Callable[..., tuple[Array, Doubles]]] = {
    "exp": _function(np.exp, lambda x, y: y),
    "log": _function(np.log, lambda x, y: 1 / x),
    "exp2": _function(np.exp2, lambda x, y: y * math.log(2)),
    "log2": _function(np.log2, lambda x, y: 1 / (x * math.log(2))),
    "log10": _function(np.log10, lambda x, y: 1 / (x * math.log(10))),
    "log1p": _function(np.log1p, lambda x, y: 1 / (1 + x)),
    "expm1": _function(np.expm1, lambda x, y: 1 + y),
    "tanh": _function(np.tanh, lambda x, y: 1 - y * y),
    "sigmoid": _function(_sigmoid, lambda x, y: y * (1 - y)),
    "softplus": _function(lambda x: np.logaddexp(0, x), lambda x, y: _sigmoid(x)),
    "sin": _function(np.sin, lambda x, y: np.ones_like(x)),
    "cos": _function(np.cos, lambda x, y: np.ones_like(x)),
    "erf": _function(_erf, lambda x, y: 2 / math.sqrt(math.pi) * np.exp(-x * x)),
    "power": _pow,
}
