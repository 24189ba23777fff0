"""The registry of problems by name, and the problem that a config describes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gdexp.core import BadInput, given_object, is_given, nearest, validation
from gdexp.problems.autograd import Autograd
from gdexp.problems.base import Problem
from gdexp.problems.bbob import Bbob
from gdexp.problems.custom import custom_problem
from gdexp.problems.factorization import Factorization
from gdexp.problems.function import Function
from gdexp.problems.landscapes import (
    Beale,
    Booth,
    Himmelblau,
    Hyperbola,
    Matyas,
    Rastrigin,
    Rosenbrock,
)
from gdexp.problems.matrix import Matrix
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.regression import Logistic, Ols
from gdexp.problems.transformed import Transformed

PROBLEMS: dict[str, type[Problem]] = {
    cls.name: cls
    for cls in (
        Matrix,
        Autograd,
        Function,
        Quadratic,
        Booth,
        Matyas,
        Rosenbrock,
        Beale,
        Himmelblau,
        Rastrigin,
        Hyperbola,
        Ols,
        Logistic,
        Factorization,
        Bbob,
    )
}

CUSTOM = "custom"
"""The name of a user-defined problem, which also needs a path."""

TRANSFORM_KEYS = ("rotation_seed", "shift")


def build_problem(config: Mapping[str, Any], trust: Sequence[str] = ()) -> Problem:
    """Return the problem that a config section describes.

    Args:
        config: `name`, the constructor arguments of that problem, and `rotation_seed` and
            `shift` (see `Transformed`). A null argument counts as not given.
        trust: the dotted paths that `name: custom` may import. An import runs code, so a path
            from a stored config is refused until a person names it here.

    Raises:
        BadInput: a name or key is unknown, or the problem refuses a value; the key has the form
            `problem.KEY`.
    """
    name = validation.choice("problem.name", config.get("name"), [*PROBLEMS, CUSTOM])
    make: Callable[..., Problem] = custom_problem if name == CUSTOM else PROBLEMS[name]
    allowed = [*inspect.signature(make).parameters, *TRANSFORM_KEYS]
    for key in config:
        if key != "name" and key not in allowed:
            raise BadInput(f"problem.{key}", config[key], nearest(str(key), allowed))
    arguments = {k: v for k, v in config.items() if k != "name" and v is not None}
    transform = {key: arguments.pop(key, None) for key in TRANSFORM_KEYS}
    try:
        if name == CUSTOM:
            check_trust(arguments.get("path"), trust)
        problem = make(**arguments)
        if all(value is None for value in transform.values()):
            return problem
        return Transformed(problem, **transform)
    except BadInput as error:
        if error.key.startswith("problem"):
            raise
        raise error.in_section("problem") from error


def check_trust(path: object, trust: Sequence[str]) -> None:
    """Refuse the import path of user code that no person on this machine has named.

    Args:
        path: `package.module.attribute`.
        trust: the paths that may be imported.

    Raises:
        BadInput: it is no path, or it is not trusted.
    """
    if not isinstance(path, str) or not path:
        raise BadInput("path", path, "must name a loss or a problem: package.module.attribute")
    if is_given(path):
        given_object(path)  # the caller's own, or an error
    elif path not in trust:
        raise BadInput("path", path, f"is not trusted to run: add trust=[{path}] if you wrote it")
