"""The data of a benchmark in COCO's format, which `cocopp` reads.

An evaluation here is one loss with its gradient. It stands in the column of evaluations as one.
COCO has no gradients: by finite differences a gradient costs n evaluations more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gdexp.problems import Bbob
from gdexp.suite.descents import Descent
from gdexp.suite.outcome import Attempts, Solver
from gdexp.suite.targets import PRECISION
from gdexp.version import __version__


def coco_files(solver: Solver) -> Iterator[tuple[str, str]]:
    """Yield the files of a solver's folder: name and content."""
    functions: dict[int, list[tuple[int, Attempts]]] = {}
    for task, attempts in sorted(solver.tasks.items()):
        functions.setdefault(task.function, []).append((task.dimension, attempts))
    for function, parts in functions.items():
        entries = []
        for dimension, attempts in parts:
            name = f"data_f{function}/bbobexp_f{function}_DIM{dimension}"
            entries.append(_entry(solver, function, dimension, f"{name}.dat", attempts))
            yield f"{name}.dat", _data(function, dimension, attempts)
            yield f"{name}.tdat", _data(function, dimension, attempts)
        yield f"bbobexp_f{function}.info", "\n".join(entries) + "\n"


def _entry(solver: Solver, function: int, dimension: int, data: str, attempts: Attempts) -> str:
    name = solver.name.replace("'", "")
    head = (
        f"suite = 'bbob', funcId = {function}, DIM = {dimension}, Precision = {PRECISION:.3e}, "
        f"algId = '{name}', coco_version = '2.8.2', logger = 'bbob', data_format = 'bbob-new2', "
        f"settings = ''"
    )
    rate = "" if attempts.rate is None else f"; learning rate {attempts.rate:g}"
    comment = f"% gdexp {__version__}; an evaluation is one loss with its gradient{rate}"
    runs = [f"{d.instance}:{d.evaluations}|{d.best:.1e}" for d in attempts.descents]
    return f"{head}\n{comment}\n{', '.join([data, *runs])}"


def _data(function: int, dimension: int, attempts: Attempts) -> str:
    minima: Mapping[int, float] = {
        instance: _minimum(function, instance, dimension)
        for instance in {each.instance for each in attempts.descents}
    }
    return "".join(_run(each, minima[each.instance]) for each in attempts.descents)


def _minimum(function: int, instance: int, dimension: int) -> float:
    found = Bbob(function, instance, dimension).f_star
    assert found is not None
    return found


def _run(descent: Descent, minimum: float) -> str:
    head = (
        "% f evaluations | g evaluations | best noise-free fitness - Fopt "
        f"({minimum:.12e}) + sum g_i+ | measured fitness | best measured fitness or single-digit "
        "g-values | x1 | x2..."
    )
    rows: Sequence[tuple[int, float]] = descent.events
    if not rows or rows[-1][0] < descent.evaluations:
        rows = [*rows, (descent.evaluations, descent.best)]
    lines = (f"{n} 0 {gap:+.9e} {minimum + gap:+.9e} {minimum + gap:+.9e}" for n, gap in rows)
    return "\n".join([head, *lines]) + "\n"
