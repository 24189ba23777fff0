"""`python -m gdexp +inspect`: the autograd graph of the loss at x0, its gradient, and a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from gdexp.config import Config, construct
from gdexp.core import BadInput, GdexpError, format_number, json_output, validation
from gdexp.descent import starting_point
from gdexp.display import format_tensor, terminal
from gdexp.experiment import Experiment, trusted_paths
from gdexp.problems import Problem, first_loss, gradient_error

MAX_NODES = 60


@dataclass(frozen=True)
class InspectSettings:
    """The config group `inspect`.

    Args:
        tolerance: the largest relative difference between autograd and finite differences
            that passes, > 0.
    """

    tolerance: float = 1e-6

    def __post_init__(self) -> None:
        validation.positive("tolerance", self.tolerance)


def inspect(config: Config) -> None:
    """Print the autograd graph and the gradient of the composed problem; nothing is tracked.

    Raises:
        BadInput: a value that cannot be used, a loss that is no scalar function of x.
        GdexpError: the gradient differs from the finite differences.
    """
    settings = construct("inspect", InspectSettings, config["inspect"])
    experiment = Experiment.from_config(config, trusted_paths(config))
    function = experiment.function
    if function is None:
        raise BadInput(
            "problem", experiment.config["problem"]["name"], "is no function of x to inspect"
        )
    problem = function.to(experiment.dtype, experiment.device)
    start = starting_point(function, experiment.seed)
    x = start.to(experiment.device, experiment.dtype).requires_grad_()
    loss = first_loss(problem, x)
    nodes = problem.nodes(x)
    (gradient,) = torch.autograd.grad(loss, (x,), retain_graph=True)
    out = terminal.console()
    _show(out, problem, [("x", x), *nodes], loss, gradient)
    error = gradient_error(function, start)
    json_output.answer(
        "inspect",
        {
            "problem": problem.name,
            "shape": list(x.shape),
            "dtype": _dtype(x),
            "device": str(x.device),
            "loss": loss.item(),
            "gradient": gradient.tolist(),
            "nodes": {name: _maker(value) for name, value in nodes},
            "gradient_error": error,
            "tolerance": settings.tolerance,
            "agrees": error <= settings.tolerance,
        },
    )
    _check(out, function, error, settings.tolerance)


def _show(
    out: Console,
    problem: Problem,
    values: list[tuple[str, torch.Tensor]],
    loss: torch.Tensor,
    gradient: torch.Tensor,
) -> None:
    """Print the values, x first, the graph, the gradient and what an array needs."""
    x = values[0][1]
    shape = "×".join(map(str, x.shape)) or "scalar"
    terminal.print_facts(
        out,
        [
            (
                "problem",
                f"{terminal.escape_text(problem.name)}, x of shape {shape}, "
                f"{_dtype(x)} on {x.device}",
            ),
            ("loss", f"{format_number(loss.item())} at x0"),
        ],
    )
    out.print("\n[bold]values and the nodes that made them[/bold]")
    _values(out, values)
    out.print("\n[bold]graph of the loss[/bold]")
    out.print(_graph(loss))
    out.print("\n[bold]gradient at x0[/bold]")
    out.print(format_tensor(gradient))
    out.print("\n[bold]to an array[/bold]")
    terminal.print_facts(
        out,
        [("x.numpy()", terminal.escape_text(_refusal(x))), ("x.detach().numpy()", _detached(x))],
    )


def _check(out: Console, problem: Problem, error: float, tolerance: float) -> None:
    """Print how far the gradient is from central differences; raise where that is too far."""
    passed = error <= tolerance
    verdict = "agrees with" if passed else "[red]differs from[/red]"
    relation = "<=" if passed else ">"
    out.print("\n[bold]gradient check in float64[/bold]")
    out.print(
        f"autograd {verdict} central differences: largest relative difference "
        f"{error:.2g} {relation} {tolerance:g}"
    )
    if not passed:
        raise GdexpError(
            f"problem={problem.name}: the gradient differs from finite differences by "
            f"{error:.2g}; inspect.tolerance={tolerance:g}, a kink at x0 also causes this"
        )


def _values(out: Console, named: list[tuple[str, torch.Tensor]]) -> None:
    table = Table(box=None, padding=(0, 3), show_header=False)
    for name, value in named:
        made_by = f"[dim]{_maker(value)}[/dim]"
        table.add_row(terminal.escape_text(name), format_tensor(value), made_by)
    out.print(table)


def _maker(value: torch.Tensor) -> str:
    return "leaf, requires grad" if value.grad_fn is None else _node(value.grad_fn)


def _graph(loss: torch.Tensor) -> Tree:
    """Return the nodes from the loss back to x, each once; a second occurrence is marked."""
    tree = Tree(_node(loss.grad_fn))
    seen = {loss.grad_fn}
    waiting: list[tuple[Tree, Any]] = [(tree, loss.grad_fn)]
    while waiting:
        branch, node = waiting.pop(0)
        for following, _ in node.next_functions:
            if following is None:
                continue
            again = following in seen
            text = _node(following)
            if text.startswith("AccumulateGrad"):
                text = "AccumulateGrad: x"
            elif again:
                text += " (above)"
            if len(seen) >= MAX_NODES:
                branch.add("…")
                return tree
            grown = branch.add(text)
            if not again:
                seen.add(following)
                waiting.append((grown, following))
    return tree


def _refusal(x: torch.Tensor) -> str:
    try:
        x.numpy()
    except RuntimeError as error:
        return f"refused: {str(error).splitlines()[0]}"
    return "given"


def _detached(x: torch.Tensor) -> str:
    array = x.detach().cpu()
    if array.dtype is torch.bfloat16:
        return "given after .float(): NumPy has no bfloat16"
    return f"given: array of {array.numpy().dtype}, shape {tuple(array.shape)}"


def _node(node: object) -> str:
    return type(node).__name__


def _dtype(x: torch.Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
