"""Your own problem: a function, an nn.Module with data, or anything importable by path.

The third way, a subclass of `Problem` with one method, needs nothing from here but the path.
"""

from __future__ import annotations

import copy
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import nn

from gdexp.core import BadInput, GdexpError, code_failed, nearest, validation
from gdexp.problems.base import Part, Problem

Loss = Callable[[torch.Tensor], torch.Tensor]


class FunctionProblem(Problem):
    """A plain function of x as a problem.

    ::

        FunctionProblem(lambda x: (x**2).sum(), shape=(2,), f_star=0.0)

    Args:
        loss: takes x of the given shape, returns a scalar tensor.
        shape: of x; not needed with x0.
        x0: the start; uniform on [0, 1) from the seed by default.
        f_star: the minimum; unknown by default, and then the threshold is absolute.
        name: the function's own name by default.
        batchable: True promises that the loss also takes (B, *shape), returns (B,), and that
            each row is bit for bit what the row gives alone; `gdexp.check_problem`
            tells whether it is so.
    """

    def __init__(
        self,
        loss: Loss,
        shape: Sequence[int] | int | None = None,
        x0: object = None,
        f_star: float | None = None,
        name: str | None = None,
        batchable: bool = False,
    ) -> None:
        if not callable(loss):
            raise BadInput("loss", loss, "must be a function of x")
        if shape is None and x0 is None:
            raise BadInput("shape", None, "give the shape of x, such as [2], or x0")
        self.function = loss
        self.name = getattr(loss, "__name__", type(loss).__name__) if name is None else name
        self.batchable = validation.boolean("batchable", batchable)
        if shape is not None:
            self.shape = _shape(shape)
        super().__init__(x0)
        self.f_star = None if f_star is None else validation.number("f_star", f_star)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The function's value."""
        return self.function(x)


class ModuleProblem(Problem):
    """The trainable parameters of an nn.Module as x, and its loss on fixed data.

    ::

        ModuleProblem(nn.Linear(3, 1), inputs, targets)

    x is the flat vector of all parameters that require a gradient, in the module's order; `parts`
    names them. The module is copied and put into evaluation mode, because the loss must be a
    function of x alone: no dropout, no running averages.

    Args:
        module: the module, whose own weights are the start whatever the seed; or a function
            without arguments that makes one, and then every seed makes its own start.
        inputs: passed to the module as they are.
        targets: passed to the loss, after the module's output.
        loss: of (output, targets), a scalar; the mean squared error by default.
        x0: the start as one flat list, instead.
        f_star: the minimum; unknown by default.
    """

    name = "module"

    def __init__(
        self,
        module: nn.Module | Callable[[], nn.Module],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.mse_loss,
        x0: object = None,
        f_star: float | None = None,
    ) -> None:
        self._make = None if isinstance(module, nn.Module) else module
        made = module if isinstance(module, nn.Module) else _seeded(module, 0)
        if not isinstance(made, nn.Module):
            raise BadInput("module", made, "must be an nn.Module or make one")
        self.module = copy.deepcopy(made).eval()
        self._parts = _parameter_parts(self.module)
        if not self._parts:
            raise BadInput("module", type(made).__name__, "has no parameter to move")
        self.inputs, self.targets, self.criterion = inputs, targets, loss
        self.shape = (sum(part.numel for part in self._parts),)
        super().__init__(x0)
        self.f_star = None if f_star is None else validation.number("f_star", f_star)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """The criterion between the module's output with weights x and the targets."""
        return self.nodes(x)[-1][1]

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """The module's output and the loss."""
        pieces = torch.split(x, [part.numel for part in self._parts])
        weights = {
            part.name: piece.view(part.shape)
            for part, piece in zip(self._parts, pieces, strict=True)
        }
        output = torch.func.functional_call(self.module, weights, (self.inputs,))
        return [("output", output), ("loss", self.criterion(output, self.targets))]

    def start(self, seed: int) -> torch.Tensor:
        """x0, else the module's weights, made from the seed when the module is made."""
        if self.x0 is not None:
            return self.x0
        module = self.module if self._make is None else _seeded(self._make, seed)
        return torch.cat([p.detach().flatten() for _, p in _trainable(module)])

    def parts(self) -> list[Part]:
        """The parameters in the order in which x holds them."""
        return self._parts

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """A copy in this dtype and on this device, the module's buffers too."""
        moved = super().to(dtype, device)
        moved.module = copy.deepcopy(self.module).to(device=device, dtype=dtype)
        return moved


def custom_problem(
    path: str,
    shape: Sequence[int] | int | None = None,
    x0: object = None,
    f_star: float | None = None,
    arguments: Mapping[str, object] | None = None,
) -> Problem:
    """The problem that a dotted path names: what `problem=custom` builds.

    Args:
        path: `package.module.attribute` of a `Problem` subclass, a `Problem`, a function without
            required arguments that returns one, or a loss function of x.
        shape: of x, for a loss function; not needed with x0.
        x0: the start, instead of the problem's own.
        f_star: the minimum, instead of the problem's own.
        arguments: keyword arguments of the subclass or of the function that returns a problem.

    Raises:
        BadInput: nothing importable there, or nothing that is a problem.
    """
    found = import_by_path(path)
    if isinstance(found, Problem):
        _only_with(arguments, "arguments", "a class or a function that returns a problem")
        problem = copy.copy(found)
    elif _makes_problem(found):
        problem = _call(path, found, arguments or {})
    elif callable(found) and not isinstance(found, type):
        _only_with(arguments, "arguments", "a class or a function that returns a problem")
        return FunctionProblem(cast(Loss, found), shape, x0, f_star)
    else:
        raise BadInput(
            "path", path, "must name a Problem, a subclass of it or a function, not a "
            f"{type(found).__name__}",
        )  # fmt: skip
    _only_with(shape, "shape", "a loss function; a problem has its own")
    if x0 is not None:
        _set_start(problem, x0)
    if f_star is not None:
        problem.f_star = validation.number("f_star", f_star)
    return problem


def import_by_path(path: str) -> object:
    """What `package.module.attribute` names; the current directory is importable too.

    Importing runs the module's code, so the path must come from a person at this machine.

    Raises:
        BadInput: one line that says which part was not found, or why the import failed.
    """
    names = validation.text("path", path).split(".")
    if len(names) < 2 or not all(name.isidentifier() for name in names):
        raise BadInput("path", path, "must be of the form package.module.attribute")
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    module, rest = _longest_module(path, names)
    found: object = module
    for name in rest:
        if not hasattr(found, name):
            public = [n for n in dir(found) if not n.startswith("_")]
            place = getattr(found, "__name__", type(found).__name__)
            raise BadInput("path", path, f"{place} has no {name!r}: {nearest(name, public)}")
        found = getattr(found, name)
    return found


def _longest_module(path: str, names: list[str]) -> tuple[object, list[str]]:
    """The module that the most leading names make, and the names that are left."""
    module: object = None
    for used in range(1, len(names)):
        name = ".".join(names[:used])
        try:
            module = import_module(name)
        except (Exception, SystemExit) as error:
            missing = isinstance(error, ModuleNotFoundError) and error.name == name
            if missing and module is not None:
                return module, names[used - 1 :]
            if missing:
                raise BadInput("path", path, f"there is no module {name!r} to import") from None
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise BadInput("path", path, f"importing {name} failed: {reason}") from error
    return module, names[-1:]


def _makes_problem(found: object) -> bool:
    """Whether calling it gives a problem: a subclass, or a function that x is not given to."""
    if isinstance(found, type):
        return issubclass(found, Problem)
    if not callable(found) or isinstance(found, nn.Module):
        return False
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature takes x
        return False
    return not any(
        p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )


def _call(path: str, found: object, arguments: Mapping[str, object]) -> Problem:
    make = cast(Callable[..., object], found)
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        raise BadInput(
            "arguments", dict(arguments), f"{path} does not take them: {error}"
        ) from None
    try:
        problem = make(**arguments)
    except GdexpError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raise code_failed(path, error) from error
    if not isinstance(problem, Problem):
        raise BadInput("path", path, f"returned a {type(problem).__name__}, not a Problem")
    return problem


def _set_start(problem: Problem, x0: object) -> None:
    if type(problem).start is not Problem.start and not isinstance(problem, ModuleProblem):
        raise BadInput("x0", x0, f"{type(problem).__name__} chooses its own start")
    start = validation.tensor("x0", x0)
    if problem.shape and tuple(start.shape) != tuple(problem.shape):
        raise BadInput("x0", x0, f"must have shape {tuple(problem.shape)}")
    problem.x0, problem.shape = start, tuple(start.shape)


def _only_with(value: object, key: str, what: str) -> None:
    if value is not None:
        raise BadInput(key, value, f"only with {what}")


def _shape(value: object) -> tuple[int, ...]:
    sizes = value if isinstance(value, list | tuple) else [value]
    return tuple(validation.integer("shape", size, low=1) for size in sizes)


def _seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A module made under a seed; the caller's random state is as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _trainable(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]


def _parameter_parts(module: nn.Module) -> list[Part]:
    parts: list[Part] = []
    offset = 0
    for name, parameter in _trainable(module):
        part = Part(name, tuple(parameter.shape), offset)
        parts.append(part)
        offset += part.numel
    return parts
