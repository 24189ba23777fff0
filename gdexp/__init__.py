"""How many gradient-descent iterations does a configuration need to reach a threshold?

The public names are listed here and loaded when first used, so that `import gdexp` and
`python -m gdexp --help` wait for neither torch nor mlflow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gdexp.descent import descend as descend
    from gdexp.errors import BadInput as BadInput
    from gdexp.errors import GdexpError as GdexpError
    from gdexp.optimizers import GradientDescent as GradientDescent
    from gdexp.optimizers import Momentum as Momentum
    from gdexp.optimizers import UpdateRule as UpdateRule
    from gdexp.problems import Autograd as Autograd
    from gdexp.problems import Function as Function
    from gdexp.problems import Matrix as Matrix
    from gdexp.problems import Problem as Problem
    from gdexp.result import Result as Result
    from gdexp.stopping import Status as Status
    from gdexp.stopping import Stopping as Stopping
    from gdexp.stopping import hitting_time as hitting_time

__version__ = "0.1.0"

_HOME = {
    "Autograd": "problems",
    "BadInput": "errors",
    "Function": "problems",
    "GdexpError": "errors",
    "GradientDescent": "optimizers",
    "Matrix": "problems",
    "Momentum": "optimizers",
    "Problem": "problems",
    "Result": "result",
    "Status": "stopping",
    "Stopping": "stopping",
    "UpdateRule": "optimizers",
    "descend": "descent",
    "hitting_time": "stopping",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOME:
        raise AttributeError(f"module 'gdexp' has no attribute {name!r}")
    return getattr(import_module(f"gdexp.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
