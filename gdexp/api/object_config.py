"""Python objects as the overrides that stand for them in a config.

An object of an importable class is named by that class and the arguments that make an equal one.
Any other is given to the call as it is, under a path that holds its digest.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import PurePath
from types import FunctionType
from typing import Any

import numpy as np
import torch

from gdexp.config import literal
from gdexp.core import BadInput, arguments_of, described, given_name, given_path, user_code
from gdexp.descent import Stopping
from gdexp.problems import (
    PROBLEMS,
    FunctionProblem,
    Problem,
    Transformed,
    load_by_path,
)
from gdexp.training import Training

MOST_NUMBERS = 1_000
"""Numbers of a list that is written into a config; an object with more is given as it is."""

FACTS = ("x_star", "curvature")
"""What is known of a problem's minimum, and decides no descent."""

NOT_SHIPPED = ("continue_to",)
"""Keys of `stopping` that no shipped file has."""


@dataclass(frozen=True)
class ObjectConfig:
    """What stands for an object in a config.

    Attributes:
        lines: overrides.
        objects: those without an import path, by the path that stands for them.
    """

    lines: tuple[str, ...] = ()
    objects: Mapping[str, object] = field(default_factory=dict)

    def __add__(self, other: ObjectConfig) -> ObjectConfig:
        """Return both together."""
        return ObjectConfig((*self.lines, *other.lines), {**self.objects, **other.objects})

    @property
    def names(self) -> str:
        """The names of the objects without an import path."""
        return ", ".join(map(given_name, self.objects))


class NotPlain(Exception):
    """A value cannot be written into a config."""


def problem_config(given: object) -> ObjectConfig:
    """Return what stands for a problem.

    Args:
        given: a `Problem`, a subclass, a `Training` subclass (with arguments as a
            `functools.partial`), a loop of the user's own (a generator function), a name, an
            import path, or a list of overrides.

    Raises:
        BadInput: it is none of these.
    """
    if isinstance(given, str):
        return _named_problem(given)
    if isinstance(given, list | tuple):
        return lines_of("problem", given)
    if isinstance(given, Problem):
        return _problem(given)
    make, arguments = _call(given)
    if isinstance(given, Training):
        found = _arguments_of(given)
        make, arguments = type(given), found or {}
        if found is None:
            name = type(given).__name__
            how = f"functools.partial({name}, …) with its arguments"
            raise BadInput("problem", name, f"is made anew for each run: pass the class, or {how}")
    kind = _kind_of(make)
    if kind is None:
        allowed = "must be a Problem, a Training class, a generator function, a name or overrides"
        if isinstance(given, FunctionType):
            allowed = "a loss function has no start: gdexp.FunctionProblem(function, shape=[2])"
        raise BadInput("problem", getattr(given, "__name__", given), allowed)
    if not arguments and make in PROBLEMS.values():
        return ObjectConfig((f"problem={getattr(make, 'name', '')}",))
    return by_path("problem", kind, make, arguments, given)


def stopping_config(given: Stopping, sweep: bool = False) -> ObjectConfig:
    """Return what stands for a stopping rule: the keys that are not at their default.

    Args:
        given: the rule.
        sweep: whether it is that of a sweep's trials.
    """
    if not isinstance(given, Stopping):
        raise BadInput("stopping", given, "must be a Stopping")
    lines = []
    for key, value in changed_fields(given, "absolute").items():
        written = None if key == "threshold" and not given.has_threshold else value
        sign = "++" if key in NOT_SHIPPED else ""
        group = "sweep" if sweep and key == "continue_to" else "stopping"
        lines.append(f"{'' if group == 'sweep' else sign}{group}.{key}={literal(written)}")
    return ObjectConfig(tuple(lines))


def plain(value: object) -> Any:  # noqa: ANN401
    """Return a value as a config holds it.

    Raises:
        NotPlain: it is no number, text, list or mapping of those, or too long.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, torch.Tensor | np.ndarray):
        if (value.numel() if isinstance(value, torch.Tensor) else value.size) > MOST_NUMBERS:
            raise NotPlain
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and len(value) <= MOST_NUMBERS:
        return [plain(item) for item in value]
    raise NotPlain


def import_path(value: object) -> str | None:
    """Return the path by which another process imports a class or function; None if there is none.

    A script is `__main__` only while it runs: to import it is to run it again.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    owner: object = sys.modules.get(str(module))
    if module == "__main__" or getattr(owner, "__spec__", None) is None:
        return None
    for part in name.split("."):
        owner = getattr(owner, part, None)
    return f"{module}.{name}" if owner is value else None


def _named_problem(given: str) -> ObjectConfig:
    if "=" in given:
        return ObjectConfig((given,))
    if "." not in given:
        return ObjectConfig((f"problem={given}",))
    kind = _kind_of(load_by_path(given)) or "custom"
    return ObjectConfig((f"problem={kind}", f"problem.path={literal(given)}")) + _own(kind)


def lines_of(key: str, given: Sequence[object]) -> ObjectConfig:
    """Return a list of overrides as what stands for an object."""
    if not all(isinstance(each, str) and "=" in each for each in given):
        raise BadInput(key, given, f"a list holds overrides: ['{key}=NAME', '{key}.KEY=VALUE']")
    return ObjectConfig(tuple(map(str, given)))


def _problem(given: Problem) -> ObjectConfig:
    """Return what stands for a problem: its class and arguments, or the object as it is."""
    cls = type(given)
    if isinstance(given, Transformed) and cls is Transformed:
        found = _transformed(given)
    elif isinstance(given, FunctionProblem) and cls is FunctionProblem:
        found = _function_problem(given)
    else:
        arguments = _arguments_of(given)
        shipped = PROBLEMS.get(cls.name) is cls
        path = cls.name if shipped else import_path(cls)
        if arguments is None or path is None:
            found = None
        elif shipped:
            lines = (f"problem.{key}={literal(value)}" for key, value in arguments.items())
            found = ObjectConfig((f"problem={path}", *lines))
        else:
            found = _path_config("problem", "custom", path, arguments)
    return _given("problem", "custom", given, cls.__name__) if found is None else found


def _transformed(given: Transformed) -> ObjectConfig | None:
    inner = _problem(given.inner)
    if inner.objects:
        return None
    try:
        shift = plain(given.shift)
    except NotPlain:
        return None
    keys = {"rotation_seed": given._seed, "shift": shift}
    rebuilt = Transformed(given.inner, **keys)
    if not _same(rebuilt, given):
        return None
    lines = (f"problem.{k}={literal(v)}" for k, v in keys.items() if v is not None)
    return inner + ObjectConfig(tuple(lines))


def _function_problem(given: FunctionProblem) -> ObjectConfig | None:
    path = import_path(given.function)
    f_star = "absolute" if given.absolute else given.f_star
    start = {"x0": given.x0} if given.x0 is not None else {"shape": list(given.shape)}
    try:
        keys = {key: plain(value) for key, value in {**start, "f_star": f_star}.items()}
    except NotPlain:
        return None
    if path is None or not _same(FunctionProblem(given.function, **keys), given):
        return None
    lines = (f"problem.{k}={literal(v)}" for k, v in keys.items() if v is not None)
    return ObjectConfig(("problem=custom", f"problem.path={path}", *lines))


def _arguments_of(instance: Problem | Training) -> dict[str, Any] | None:
    """Return the arguments that make an equal object, as a config holds them; None without any.

    A training is made anew for each run: only its arguments can be compared.
    """
    cls = type(instance)
    try:
        given = arguments_of(instance)
        if given is None:
            return None
        defaults = {n: each.default for n, each in inspect.signature(cls).parameters.items()}
        found = {name: plain(value) for name, value in given.items()}
        found = {n: v for n, v in found.items() if n not in defaults or not _equal(v, defaults[n])}
        if isinstance(instance, Training) or _same(cls(**found), instance):
            return found
    except Exception:  # whatever a constructor of the user's raises
        return None
    return None


def _equal(value: object, default: object) -> bool:
    return type(value) is type(default) and bool(value == default)


def changed_fields(value: Any, *without: str) -> dict[str, Any]:  # noqa: ANN401
    """Return the fields of a dataclass that are not at their default."""
    found = {}
    for each in fields(value):
        now, default = getattr(value, each.name), each.default
        if each.default_factory is not MISSING:
            default = each.default_factory()
        if each.name not in without and not _equal(now, default):
            found[each.name] = now
    return found


def by_path(
    key: str, kind: str, make: object, arguments: Mapping[str, Any], given: object
) -> ObjectConfig:
    """Return what stands for a class or function of the user's, with arguments.

    Args:
        key: of the group.
        kind: the name of its file.
        make: the class or function.
        arguments: that it is called with.
        given: what the caller gave.
    """
    path, objects = import_path(make), dict[str, object]()
    if path is None:
        made = _given(key, kind, make, str(getattr(make, "__name__", type(make).__name__)))
        path, objects = next(iter(made.objects)), dict(made.objects)
    try:
        plain_arguments = plain(dict(arguments))
    except NotPlain:
        raise BadInput(
            key, given, "its arguments must be numbers, texts, lists or groups of those"
        ) from None
    return _path_config(key, kind, path, plain_arguments, objects)


def _path_config(
    key: str,
    kind: str,
    path: str,
    arguments: Mapping[str, Any],
    objects: Mapping[str, object] | None = None,
) -> ObjectConfig:
    own = (f"{key}.arguments={literal(arguments)}",) if arguments else ()
    lines = (f"{key}={kind}", f"{key}.path={literal(path)}", *own)
    return ObjectConfig(lines, objects or {}) + _own(kind)


def _own(kind: str) -> ObjectConfig:
    """Return the optimizer of a loop, of which gdexp knows nothing."""
    return ObjectConfig(("optimizer=own",) if kind == "loop" else ())


def _given(key: str, kind: str, value: object, name: str) -> ObjectConfig:
    """Return what stands for an object as it is; its sources are recorded with the runs."""
    known = described(value)
    path = given_path(name, known.digest)
    user_code(path).note_given(known.sources)
    return ObjectConfig((f"{key}={kind}", f"{key}.path={path}"), {path: value})


def _call(given: object) -> tuple[object, dict[str, Any]]:
    """Return a class or function and the keyword arguments of a partial call of it."""
    if isinstance(given, functools.partial) and not given.args:
        return given.func, dict(given.keywords)
    return given, {}


def _kind_of(make: object) -> str | None:
    """Return the file of the group `problem` for a class or function; None if it is none."""
    if isinstance(make, type):
        if issubclass(make, Training):
            return "training"
        return "custom" if issubclass(make, Problem) else None
    return "loop" if inspect.isgeneratorfunction(make) else None


def _same(one: object, other: object) -> bool:
    """Return whether two objects make the same descents.

    Facts of a shipped problem come from LAPACK, whose last bits depend on where a tensor lies.
    """
    shipped = type(one) in (*PROBLEMS.values(), Transformed)
    without = FACTS if shipped else ()
    first = described(one, without)
    return first.whole and first.digest == described(other, without).digest
