"""`python -m gdexp +problems`: all problems, with what is known of each."""

from __future__ import annotations

from rich.table import Table

from gdexp.config import Config, construct
from gdexp.core import json_output
from gdexp.display import terminal
from gdexp.optimizers import GradientDescent
from gdexp.problems import PROBLEMS, Problem
from gdexp.theory import best_lr, stability_limit

GD = GradientDescent()


def problems(config: Config) -> None:
    """Print one line for each shipped problem, built with its defaults; nothing is run.

    Raises:
        BadInput: a key inside `problems`, which takes no keys.
    """
    construct("problems", _settings, config["problems"] or {})
    table = Table(box=None, padding=(0, 2), header_style="bold")
    table.add_column("problem", no_wrap=True)
    table.add_column("numbers", justify="right")
    table.add_column("minimum f*", justify="right")
    table.add_column("kappa", justify="right")
    table.add_column("best lr", justify="right")
    table.add_column("limit", justify="right")
    rows = []
    for name, make in PROBLEMS.items():
        problem = make()
        known, numbers = _known(problem), _numbers(problem)
        *cells, limit = map(_cell, known.values())
        marked = limit if problem.unique else f"{limit}*"
        table.add_row(name, str(numbers), *cells, marked)
        rows.append({"name": name, "numbers": numbers, **known, "unique": problem.unique})
    json_output.answer("problems", {"problems": rows})
    out = terminal.console()
    out.print(table)
    out.print(
        "\nproblem=NAME chooses one; problem=custom is your own. The best learning rate is the one "
        "for the worst start; at the limit and above it gd leaves the minimum. A limit with * is "
        "that of one minimum: the problem has others. What is blank is not known in closed form."
    )


def _settings() -> None:
    """Takes no key."""


def _known(problem: Problem) -> dict[str, float | None]:
    kappa = None
    if problem.curvature is not None and problem.curvature[0] > 0:
        kappa = problem.curvature[1] / problem.curvature[0]
    return {
        "f_star": problem.f_star,
        "kappa": kappa,
        "best_lr": best_lr(problem, GD),
        "stability_limit": stability_limit(problem, GD),
    }


def _numbers(problem: Problem) -> int:
    total = 1
    for length in problem.shape:
        total *= length
    return total


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
