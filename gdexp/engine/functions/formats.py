"""The numbers that depend on a float's format."""

from __future__ import annotations

from dataclasses import dataclass

from gdexp.engine.builder import Builder, Value
from gdexp.engine.functions.expressions import Real
from gdexp.engine.operations import Kind
from gdexp.engine.program import DTYPES


@dataclass(frozen=True)
class Format:
    """Of float64 or float32.

    Attributes:
        dtype: the name.
        digits: of a number in base 2, the first one included.
        width: the bits of a number.
        ln2_high: ln(2) with so few digits that its product with an exponent is exact.
        ln2_low: ln(2) - ln2_high.
        root_half: the bits of sqrt(1 / 2).
        exp_low: exp rounds to 0 below.
        exp_high: exp rounds to infinity above.
        whole_low: expm1 rounds to -1 below.
        quotient, divisor: the digits that are cleared in a first quotient and its divisor, so
            that their product is exact.
        limb: the bits of an integer whose products are summed.
    """

    dtype: str
    digits: int
    width: int
    ln2_high: float
    ln2_low: float
    root_half: int
    exp_low: float
    exp_high: float
    whole_low: float
    quotient: int
    divisor: int
    limb: int

    @property
    def shift(self) -> int:
        """The place of the exponent in the bits."""
        return self.digits - 1

    @property
    def one(self) -> int:
        """The bits of 1."""
        return ((1 << (self.width - self.digits - 1)) - 1) << self.shift

    @property
    def step(self) -> int:
        """What is added to the bits of a number to double it."""
        return 1 << self.shift

    @property
    def sign(self) -> int:
        """The integer with only the sign bit."""
        return -(1 << (self.width - 1))

    @property
    def rounder(self) -> float:
        """A number whose sum with a small one is rounded to an integer, in its last bits."""
        return 1.5 * 2.0**self.shift

    @property
    def rounder_bits(self) -> int:
        """The bits of `rounder`."""
        return self.one + self.shift * self.step + (self.step >> 1)

    @property
    def smallest_normal(self) -> float:
        """The smallest number with all digits."""
        return 2.0 ** (2 - (1 << (self.width - self.digits - 1)))


FORMATS = {
    "float64": Format(
        dtype="float64",
        digits=53,
        width=64,
        ln2_high=float.fromhex("0x1.62e42feep-1"),
        ln2_low=1.90821492927058770002e-10,
        root_half=0x3FE6A09E667F3BCD,
        exp_low=-746.0,
        exp_high=710.0,
        whole_low=-40.0,
        quotient=32,
        divisor=22,
        limb=31,
    ),
    "float32": Format(
        dtype="float32",
        digits=24,
        width=32,
        ln2_high=float.fromhex("0x1.62e4p-1"),
        ln2_low=1.4286067653e-06,
        root_half=0x3F3504F3,
        exp_low=-104.0,
        exp_high=89.0,
        whole_low=-19.0,
        quotient=15,
        divisor=9,
        limb=15,
    ),
}
"""The split of ln(2) is that of Sun's fdlibm."""

LOG2_E = 1.4426950408889634


def begin(builder: Builder, x: Value) -> tuple[Format, Real]:
    """Return the format of a program, and a value as a number of it."""
    return FORMATS[builder.dtype], Real(builder, x)


def halves(form: Format, number: float, rest: float) -> tuple[float, float]:
    """Return number + rest as a number of the format, and what that lacks."""
    high = float(DTYPES[form.dtype][Kind.FLOAT].type(number))
    return high, (number - high) + rest
