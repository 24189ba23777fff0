"""User-defined problems: a function, an nn.Module with data, or an object named by its path.

A subclass of `Problem` with a `loss` method needs only the path.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Self, cast

import torch
import torch.nn.functional as F
from torch import nn

from gdexp.core import BadInput, code_errors, validation, watched
from gdexp.problems.base import Problem
from gdexp.problems.by_path import import_by_path, user_modules_first
from gdexp.problems.facts import Part, consecutive_parts

Loss = Callable[[torch.Tensor], torch.Tensor]


class FunctionProblem(Problem):
    """A problem whose loss is a function of x.

    ::

        from gdexp import FunctionProblem

        FunctionProblem(lambda x: (x**2).sum(), shape=(2,), f_star=0.0)

    Args:
        loss: a function that takes x of the given shape and returns a scalar tensor.
        shape: the shape of x; not needed with x0.
        x0: the start; by default uniform on [0, 1), drawn from the seed.
        f_star: the minimum; None: unknown. `absolute`: the loss itself is compared with the
            threshold, which may then be negative.
        name: the problem's name; by default the function's.
        batchable: True promises that the loss also takes (B, *shape) and returns (B,), with the
            same bits in each row as for that row alone. `gdexp.check_problem` checks it.
    """

    def __init__(
        self,
        loss: Loss,
        shape: Sequence[int] | int | None = None,
        x0: object = None,
        f_star: float | str | None = None,
        name: str | None = None,
        batchable: bool = False,
    ) -> None:
        if not callable(loss):
            raise BadInput("loss", loss, "must be a function of x")
        if shape is None and x0 is None:
            raise BadInput("shape", None, "give the shape of x, such as [2], or x0")
        self.function = loss
        self.name = name or str(getattr(loss, "__name__", type(loss).__name__))
        self.batchable = validation.boolean("batchable", batchable)
        if shape is not None:
            self.shape = _shape(shape)
        super().__init__(x0)
        self.declare_minimum(f_star)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the function's value."""
        return self.function(x)


class ModuleProblem(Problem):
    """A problem whose x is the trainable parameters of an nn.Module, with a loss on fixed data.

    ::

        import torch
        from torch import nn

        from gdexp import ModuleProblem

        inputs, targets = torch.ones(8, 3), torch.zeros(8, 1)
        ModuleProblem(nn.Linear(3, 1), inputs, targets)

    x is the flat vector of all parameters that require a gradient, in the module's order; `parts`
    names them. The module is copied and put into evaluation mode, because the loss must depend
    on x alone: no dropout, no running averages.

    Args:
        module: a module, whose weights are the start for every seed; or a function without
            arguments that makes a module, which is called under the seed.
        inputs: the argument of the module.
        targets: the second argument of the loss, after the module's output.
        loss: a scalar function of (output, targets); the mean squared error by default.
        x0: the start as one flat list, in place of the module's weights.
        f_star: the minimum, None or `absolute`, as of `FunctionProblem`.
    """

    name = "module"

    def __init__(
        self,
        module: nn.Module | Callable[[], nn.Module],
        inputs: torch.Tensor,
        targets: torch.Tensor,
        loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.mse_loss,
        x0: object = None,
        f_star: float | str | None = None,
    ) -> None:
        self._make = None if isinstance(module, nn.Module) else module
        example = module if isinstance(module, nn.Module) else _make_seeded(module, 0)
        if not isinstance(example, nn.Module):
            raise BadInput("module", example, "must be an nn.Module or make one")
        self.module = copy.deepcopy(example).eval()
        self._parts = consecutive_parts(
            (name, tuple(parameter.shape)) for name, parameter in _trainable(self.module)
        )
        if not self._parts:
            raise BadInput("module", type(example).__name__, "has no parameter to move")
        self.inputs, self.targets, self.criterion = inputs, targets, loss
        self.shape = (sum(part.numel for part in self._parts),)
        super().__init__(x0)
        self.declare_minimum(f_star)

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        """Return the loss of the module's output with weights x."""
        return self.nodes(x)[-1][1]

    def nodes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return the module's output and the loss."""
        pieces = torch.split(x, [part.numel for part in self._parts])
        weights = {
            part.name: piece.view(part.shape)
            for part, piece in zip(self._parts, pieces, strict=True)
        }
        output = torch.func.functional_call(self.module, weights, (self.inputs,))
        return [("output", output), ("loss", self.criterion(output, self.targets))]

    def start(self, seed: int) -> torch.Tensor:
        """Return x0, else the weights of the module, which may be made from the seed."""
        if self.x0 is not None:
            return self.x0
        module = self.module if self._make is None else _make_seeded(self._make, seed)
        return torch.cat([p.detach().flatten() for _, p in _trainable(module)])

    def parts(self) -> list[Part]:
        """Return the parameters in the order of x."""
        return self._parts

    def to(self, dtype: torch.dtype, device: torch.device) -> Self:
        """Return a copy in this dtype and on this device, the module's buffers included."""
        clone = super().to(dtype, device)
        clone.module = copy.deepcopy(self.module).to(device=device, dtype=dtype)
        return clone


def custom_problem(
    path: str,
    shape: Sequence[int] | int | None = None,
    x0: object = None,
    f_star: float | str | None = None,
    arguments: Mapping[str, object] | None = None,
) -> Problem:
    """Return the problem that a dotted path names, for `problem=custom`.

    Args:
        path: `package.module.attribute` of a `Problem` subclass, a `Problem`, a function without
            required arguments that returns one, or a loss function of x.
        shape: the shape of x, for a loss function; not needed with x0.
        x0: the start, in place of the problem's own.
        f_star: the minimum or `absolute`, in place of the problem's own.
        arguments: keyword arguments of the subclass or of the function that returns a problem.

    Raises:
        BadInput: the path names nothing that can be imported, or something that is no problem.
    """
    if arguments is not None and not isinstance(arguments, Mapping):
        raise BadInput("arguments", arguments, "must be a group of keyword arguments: {name: 1}")
    with watched(path) as code, user_modules_first():
        named = import_by_path(path)
        code.note_modules()
        problem = _problem_of(path, named, shape, x0, f_star, arguments)
        for owner in (named, problem):
            code.declare(getattr(owner, "files", ()))
    return problem


def _problem_of(
    path: str,
    named: object,
    shape: Sequence[int] | int | None,
    x0: object,
    f_star: float | str | None,
    arguments: Mapping[str, object] | None,
) -> Problem:
    """Return the problem that an imported object is or makes; see `custom_problem`."""
    if _makes_problem(named):
        problem = _make_problem(path, named, arguments or {})
    else:
        _only_with(arguments, "arguments", "a class or a function that returns a problem")
        if isinstance(named, Problem):
            problem = copy.copy(named)
        elif callable(named) and not isinstance(named, type):
            return FunctionProblem(cast(Loss, named), shape, x0, f_star)
        else:
            wanted = "must name a Problem, a subclass of it or a function"
            kind = type(named).__name__
            article = "an" if kind[0] in "aeiou" else "a"
            raise BadInput("path", path, f"{wanted}, not {article} {kind}")
    _only_with(shape, "shape", "a loss function; a problem has its own")
    if x0 is not None:
        _set_start(problem, x0)
    if f_star is not None:
        problem.declare_minimum(f_star)
    return problem


def _makes_problem(named: object) -> bool:
    """Return whether this is a Problem subclass, or a function without required arguments."""
    if isinstance(named, type):
        return issubclass(named, Problem)
    if not callable(named) or isinstance(named, nn.Module | Problem):
        return False
    try:
        parameters = inspect.signature(named).parameters.values()
    except (TypeError, ValueError):  # a builtin without a signature is a loss function of x
        return False
    return not any(
        p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )


def _make_problem(path: str, named: object, arguments: Mapping[str, object]) -> Problem:
    make = cast(Callable[..., object], named)
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        raise BadInput(
            "arguments", dict(arguments), f"{path} does not take them: {error}"
        ) from None
    with code_errors(path):
        problem = make(**arguments)
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


def _make_seeded(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Make a module under a seed, without a change of the caller's random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _trainable(module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in module.named_parameters() if p.requires_grad]
