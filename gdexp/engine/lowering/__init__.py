"""From recorded ATen operations to a program: one table, in modules by topic.

What is computed, and in which order, stands in the docstring of each operation's function;
`described` lists them. Common to all:

- Python numbers, and tensors of another type that do not depend on x, are rounded to the
  program's type first.
- Sums, means, products and maxima over several dimensions take the numbers in C order.
- A sum is the balanced tree of the operation `sum`; a mean is that sum divided by n.
- Booleans count as 1 and 0 in arithmetic.
"""

from gdexp.engine.lowering.lower import lower
from gdexp.engine.lowering.table import described

__all__ = ["described", "lower"]
