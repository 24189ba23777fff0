"""`descend` and `descend_batch` on the engine that `auto` takes, unless another one is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdexp import BatchResult, Result


def descend(*args: Any, engine: str = "auto", **kwargs: Any) -> Result:
    """A descent."""
    from gdexp.descent.single_descent import descend as descend_on

    return descend_on(*args, engine=engine, **kwargs)


def descend_batch(*args: Any, engine: str = "auto", **kwargs: Any) -> BatchResult:
    """A batch of descents."""
    from gdexp.descent.batch_of_descents import descend_batch as descend_on

    return descend_on(*args, engine=engine, **kwargs)
