"""Every problem with every rule, in ways to end: made in one process, rerun in another.

`python -m tests.reruns.matrix make FOLDER PART PARTS`, then `again …`, which prints one line of
JSON. Each pair of problem and rule has one of the ways, so that each problem and each rule has
every way; `WAYS=all` in the environment gives each pair all of them. A batch has 16 rows, or then
64, of which a few are kept; `KEEP=64` keeps them all.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gdexp import config
from gdexp.experiment.experiment import Experiment
from gdexp.experiment.provenance import ALONE, BATCH
from gdexp.optimizers.registry import RULES
from gdexp.problems.registry import PROBLEMS, build_problem
from gdexp.reruns.export_folder import read_folder
from gdexp.reruns.replay import build_experiment, replay_descent, replay_descents
from gdexp.reruns.verdict import Level
from gdexp.runs.stored_config import TORCH_CLASSES
from tests.reruns.records import CONFIG, batch, folder, reference

ALL_WAYS = os.environ.get("WAYS") == "all"
ROWS = 64 if ALL_WAYS else 16
KEPT = int(os.environ.get("KEEP", "3"))
NEEDED: dict[str, dict[str, Any]] = {
    "torch": {"class_name": "SGD"},
    "triple_momentum": {"condition": 50.0},
    "chebyshev_semi_iteration": {"condition": 50.0},
    "polyak": {"f_star": 0.0},
}
"""What rules are told that not every problem declares."""

DEAR = {"factorization": 3, "function": 8, "logistic": 8, "ols": 8}
"""Iterations of problems whose loss is no matter of microseconds."""


def cases() -> Iterator[tuple[str, str, list[Experiment]]]:
    """Name, engine and experiments of every case."""
    for i, problem in enumerate(PROBLEMS):
        most = DEAR.get(problem, 20)
        threshold = 0.5 * _first_gap(problem)
        for j, rule in enumerate(RULES):
            usual = {"optimizer.lr": 0.01, "stopping.threshold": threshold}
            ways: dict[str, dict[str, Any]] = {
                "alone": usual,
                "capped": {**usual, "stopping.threshold": 1e-300, "stopping.cap": 2},
                "diverged": {**usual, "optimizer.lr": 1e38, "stopping.threshold": 1e-300},
                "stalled": {"optimizer.lr": 1e-30, "stopping.threshold": 1e-300},
            }
            for k, (way, values) in enumerate(ways.items()):
                if not ALL_WAYS and (i + j) % 5 != k:
                    continue
                dear = problem in DEAR or RULES[rule].searches  # for longer steps, every time
                limit = 60 * most if way == "stalled" and not dear else most
                made = _experiment(problem, rule, {**values, "stopping.max_iterations": limit})
                yield f"{problem}-{rule}-{way}", ALONE, [made]
            if RULES[rule].batchable and (ALL_WAYS or (i + j) % 5 == 4):
                rows = [
                    _experiment(
                        problem,
                        rule,
                        {
                            "optimizer.lr": 0.001 * (row + 1),
                            "stopping.threshold": threshold,
                            "stopping.max_iterations": most,
                            "seed": row,
                        },
                    )
                    for row in range(ROWS)
                ]
                yield f"{problem}-{rule}-batch", BATCH, rows
    for name in TORCH_CLASSES:
        values = {"optimizer.class_name": name, "stopping.max_iterations": 5, "optimizer.lr": 0.1}
        yield f"matrix-{name}-alone", ALONE, [_experiment("matrix", "torch", values)]
    for dtype in ("float64", "float16", "bfloat16"):
        for rule in RULES:
            values = {"dtype": dtype, "optimizer.lr": 0.1, "stopping.max_iterations": 20}
            yield f"matrix-{rule}-{dtype}", ALONE, [_experiment("matrix", rule, values)]


def make(place: Path, part: int = 0, parts: int = 1) -> None:
    """Run every case of a part and keep its record."""
    for number, (name, engine, rows) in enumerate(cases()):
        if number % parts != part:
            continue
        results = batch(rows) if engine == BATCH else [rows[0].run()]
        last = len(rows) - 1
        for row in sorted({last * i // max(KEPT - 1, 1) for i in range(KEPT)}):
            kept = reference(rows[row], results[row], engine)
            folder(place / str(part) / name / str(row), kept)


def again(place: Path, part: int = 0) -> dict[str, Any]:
    """Rerun every record; counts of verdicts and statuses, and every exception."""
    verdicts: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    exceptions = []
    for case in sorted((place / str(part)).iterdir()):
        pairs = []
        for row in sorted(case.iterdir(), key=lambda path: int(path.name)):
            found = read_folder(row, row.name)
            pairs.append((found, build_experiment(found)))
        rerun = list(replay_descents(pairs))
        if len(pairs) > 1:  # and one row as a batch of itself
            rerun.append(replay_descent(*pairs[1]))
        for each in rerun:
            verdicts[str(each.verdict.level)] += 1
            statuses[str(each.result.status)] += 1
            if each.verdict.level is not Level.IDENTICAL:
                exceptions.append(f"{case.name}: {each.verdict}")
    return {"verdicts": verdicts, "statuses": statuses, "exceptions": exceptions[:20]}


def _experiment(problem: str, rule: str, values: dict[str, Any]) -> Experiment:
    composed = {
        **CONFIG,
        "problem": {"name": problem},
        "optimizer": {"name": rule, "lr": None, **NEEDED.get(rule, {})},
    }
    return Experiment.from_config(config.with_values(composed, values))


def _first_gap(problem: str) -> float:
    """The loss at the start above the minimum, at least a little."""
    built = build_problem({"name": problem})
    return max(float(built.loss(built.start(0).double())) - built.reference, 1e-6)


if __name__ == "__main__":
    command, where, mine, of = sys.argv[1:]
    if command == "make":
        make(Path(where), int(mine), int(of))
    else:
        print(json.dumps(again(Path(where), int(mine))))
