"""The data of a benchmark in the format of IOHprofiler, which IOHanalyzer reads.

One JSON file for each function describes the runs; the data files have evaluations and gaps
(C. Doerr et al., IOHprofiler, arXiv:1810.05281; the format of IOHexperimenter 0.3.3 and later).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gdexp.problems import FORMULAS
from gdexp.suite.descents import Descent
from gdexp.suite.outcome import Attempts, Solver
from gdexp.version import __version__

FORMAT = "0.3.5"
"""The version of the format."""

HEADING = "evaluations raw_y"


def iohanalyzer_files(solver: Solver) -> Iterator[tuple[str, str]]:
    """Yield the files of a solver's folder: name and content."""
    functions: dict[int, list[tuple[int, Attempts]]] = {}
    for task, attempts in sorted(solver.tasks.items()):
        functions.setdefault(task.function, []).append((task.dimension, attempts))
    for function, parts in functions.items():
        title = _title(function)
        scenarios = []
        for dimension, attempts in parts:
            path = f"data_f{function}_{title}/IOHprofiler_f{function}_DIM{dimension}.dat"
            scenarios.append(
                {"dimension": dimension, "path": path, "runs": [*map(_run, attempts.descents)]}
            )
            yield path, "".join(map(_data, attempts.descents))
        described = {
            "version": FORMAT,
            "suite": "BBOB",
            "function_id": function,
            "function_name": title,
            "maximization": False,
            "algorithm": {"name": solver.name, "info": f"gdexp {__version__}"},
            "attributes": ["evaluations", "raw_y"],
            "scenarios": scenarios,
        }
        yield f"IOHprofiler_f{function}_{title}.json", json.dumps(described, indent=1) + "\n"


def _title(function: int) -> str:
    words = FORMULAS[function - 1].title
    return "".join(letter for letter in words.title() if letter.isalnum())


def _run(descent: Descent) -> dict[str, Any]:
    evaluations = descent.events[-1][0] if descent.events else descent.evaluations
    return {
        "instance": descent.instance,
        "evals": descent.evaluations,
        "best": {"evals": evaluations, "y": descent.best, "x": []},
    }


def _data(descent: Descent) -> str:
    rows = list(descent.events)
    if not rows or rows[-1][0] < descent.evaluations:
        rows.append((descent.evaluations, descent.best))
    return "\n".join([HEADING, *(f"{count} {gap!r}" for count, gap in rows)]) + "\n"
