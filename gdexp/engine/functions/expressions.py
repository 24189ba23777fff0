"""Writing the nodes of a program as formulas."""

from __future__ import annotations

from dataclasses import dataclass

from gdexp.engine.builder import Builder, Value
from gdexp.engine.operations import Kind


@dataclass(frozen=True, slots=True)
class Real:
    """Floats of a program; an operator appends one operation, rounded once."""

    builder: Builder
    value: Value

    def _apply(self, operation: str, *others: Real | float) -> Real:
        return Real(self.builder, self.builder.apply(operation, *map(_plain, (self, *others))))

    def _compare(self, operation: str, *inputs: Real | float) -> Truth:
        return Truth(self.builder, self.builder.apply(operation, *map(_plain, inputs)))

    def __add__(self, other: Real | float) -> Real:
        return self._apply("add", other)

    def __sub__(self, other: Real | float) -> Real:
        return self._apply("subtract", other)

    def __rsub__(self, other: float) -> Real:
        return constant(self.builder, other) - self

    def __mul__(self, other: Real | float) -> Real:
        return self._apply("multiply", other)

    def __truediv__(self, other: Real | float) -> Real:
        return self._apply("divide", other)

    def __rtruediv__(self, other: float) -> Real:
        return constant(self.builder, other) / self

    def __neg__(self) -> Real:
        return self._apply("negative")

    def __abs__(self) -> Real:
        return self._apply("absolute")

    def sqrt(self) -> Real:
        """Return the square root."""
        return self._apply("sqrt")

    def __lt__(self, other: Real | float) -> Truth:
        return self._compare("less", self, other)

    def __gt__(self, other: Real | float) -> Truth:
        return self._compare("less", other, self)

    def __le__(self, other: Real | float) -> Truth:
        return self._compare("less_equal", self, other)

    def __ge__(self, other: Real | float) -> Truth:
        return self._compare("less_equal", other, self)

    def equals(self, other: Real | float) -> Truth:
        """Return whether two numbers are equal; -0 equals 0."""
        return self._compare("equal", self, other)

    def at_least(self, low: float) -> Real:
        """Return the number, or `low` where it is less; NaN stays."""
        return (self < low).choose(low, self)

    def at_most(self, high: float) -> Real:
        """Return the number, or `high` where it is more; NaN stays."""
        return (self > high).choose(high, self)

    def bits(self) -> Whole:
        """Return the bits as an integer."""
        return Whole(self.builder, self.builder.apply("to_bits", self.value))

    def shortened(self, count: int) -> Real:
        """Return the number with its last `count` bits cleared: rounded towards 0."""
        return (self.bits() & -(1 << count)).real()

    def with_sign_of(self, other: Real, sign: int) -> Real:
        """Return a number whose sign bit is 0 with the sign bit of another.

        Args:
            other: the other one.
            sign: the integer with only the sign bit.
        """
        return (self.bits() | (other.bits() & sign)).real()


@dataclass(frozen=True, slots=True)
class Whole:
    """Integers of a program; an operator appends one operation."""

    builder: Builder
    value: Value

    def _apply(self, operation: str, other: Whole | int) -> Whole:
        plain = other.value if isinstance(other, Whole) else other
        return Whole(self.builder, self.builder.apply(operation, self.value, plain))

    def __add__(self, other: Whole | int) -> Whole:
        return self._apply("add_integer", other)

    def __sub__(self, other: Whole | int) -> Whole:
        return self._apply("subtract_integer", other)

    def __rsub__(self, other: int) -> Whole:
        return whole_constant(self.builder, other) - self

    def __mul__(self, other: Whole | int) -> Whole:
        return self._apply("multiply_integer", other)

    def __and__(self, other: Whole | int) -> Whole:
        return self._apply("and_integer", other)

    def __or__(self, other: Whole | int) -> Whole:
        return self._apply("or_integer", other)

    def __lshift__(self, other: Whole | int) -> Whole:
        return self._apply("shift_left", other)

    def __rshift__(self, other: Whole | int) -> Whole:
        return self._apply("shift_right", other)

    def __lt__(self, other: Whole | int) -> Truth:
        plain = other.value if isinstance(other, Whole) else other
        return Truth(self.builder, self.builder.apply("less_integer", self.value, plain))

    def equals(self, other: int) -> Truth:
        """Return whether the integer is `other`."""
        return Truth(self.builder, self.builder.apply("equal_integer", self.value, other))

    def real(self) -> Real:
        """Return the float with these bits."""
        return Real(self.builder, self.builder.apply("from_bits", self.value))


@dataclass(frozen=True, slots=True)
class Truth:
    """Booleans of a program."""

    builder: Builder
    value: Value

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.apply("and", self.value, other.value))

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.builder, self.builder.apply("or", self.value, other.value))

    def __invert__(self) -> Truth:
        return Truth(self.builder, self.builder.apply("not", self.value))

    def choose(self, first: Real | float, second: Real | float) -> Real:
        """Return the first number where this is true, else the second."""
        inputs = (self.value, _plain(first), _plain(second))
        return Real(self.builder, self.builder.apply("select", *inputs))

    def choose_whole(self, first: Whole | int, second: Whole | int) -> Whole:
        """Return the first integer where this is true, else the second."""
        inputs = [each.value if isinstance(each, Whole) else each for each in (first, second)]
        return Whole(self.builder, self.builder.apply("select_integer", self.value, *inputs))


def constant(builder: Builder, number: float) -> Real:
    """Return a number as a constant of the program."""
    return Real(builder, builder.constant(number))


def whole_constant(builder: Builder, number: int) -> Whole:
    """Return an integer as a constant of the program."""
    return Whole(builder, builder.constant(number, Kind.INTEGER))


def _plain(number: Real | float) -> Value | float:
    return number.value if isinstance(number, Real) else number


def polynomial(x: Real, coefficients: tuple[float, ...]) -> Real:
    """Return c0 + x (c1 + x (c2 + …)), by Horner's rule.

    It appends two operations for each coefficient but the first.
    """
    *lower, last = coefficients
    result: Real | float = last
    for each in reversed(lower):
        result = x * result + each
    assert isinstance(result, Real)
    return result


def fast_sum(a: Real, b: Real) -> tuple[Real, Real]:
    """Return a + b rounded, and the rounding error, for |a| >= |b| or a = 0 (Dekker 1971)."""
    total = a + b
    return total, (a - total) + b


def exact_sum(a: Real, b: Real) -> tuple[Real, Real]:
    """Return a + b rounded, and the rounding error (Knuth's TwoSum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)
