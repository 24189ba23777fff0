"""`gdexp.sweep`: the sweep of the command line, from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gdexp.api.caller import called
from gdexp.api.composition import Composer, as_arguments
from gdexp.api.object_config import (
    ObjectConfig,
    plain,
    problem_config,
    stopping_config,
)
from gdexp.api.problem_lists import listed_config
from gdexp.api.rule_config import optimizer_config
from gdexp.api.settings import tracking_lines
from gdexp.api.study import Study
from gdexp.config import literal
from gdexp.core import BadInput, giving
from gdexp.descent import Stopping
from gdexp.sweeps import OwnApplication, finish_sweep, run_worker

if TYPE_CHECKING:
    from gdexp.optimizers import UpdateRule
    from gdexp.problems import Problem

Range = str | range | Sequence[object]
"""A Hydra sweep expression, whole numbers, or a list of choices."""


def log(low: float, high: float) -> str:
    """Return the range from low to high, drawn evenly on a log scale, for `sweep`.

    ::

        import gdexp

        print(gdexp.log(0.1, 5))  # tag(log,interval(0.1,5))

    Args:
        low: the smallest value, > 0.
        high: the largest value.

    Raises:
        BadInput: the numbers are no such range.
    """
    for key, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(key, value, "must be a number")
    if not 0 < low <= high:
        raise BadInput("log", f"({low}, {high})", "must be 0 < low <= high")
    return f"tag(log,interval({low!r},{high!r}))"


def sweep(
    problem: Problem | type | str | Sequence[str] | object = (),
    optimizer: UpdateRule | type | str | Sequence[str] | None = None,
    space: Mapping[str, Range] | None = None,
    *,
    n_trials: int | None = 100,
    seeds: int = 1,
    problems: Sequence[object] | None = None,
    held_out: Sequence[object] | None = None,
    cap: float | None = None,
    tracking: str | os.PathLike[str] | None = None,
    name: str | None = None,
    stopping: Stopping | None = None,
    sampler: str | Mapping[str, object] | None = None,
    workers: int | str = 1,
    overrides: Sequence[str] = (),
    progress: bool | None = None,
) -> Study:
    """Sweep with Optuna, record every trial in MLflow, and return the study.

    It is `python -m gdexp +sweep` with the same settings: the same trials, tables and records,
    bit for bit. The same call again continues the study, after Ctrl-C or a kill too.

    ::

        import gdexp

        study = gdexp.sweep("matrix", space={"optimizer.lr": gdexp.log(0.1, 5)}, n_trials=20)
        print(study.best)

    Args:
        problem: a `Problem` or `Training` (the class, or a `functools.partial` of it), a loop
            (a generator function), a name such as `quadratic`, an import path, or a list of
            overrides such as `["problem=quadratic", "problem.mu=0.1"]`.
        optimizer: an `UpdateRule`, its class, a name, an import path, or overrides; by default gd.
        space: for each swept key its values: `log(low, high)`, a list of choices, a `range`, or
            an expression of Hydra such as `interval(0.1, 5)`. None: learning rate and threshold.
        n_trials: the completed trials that end the sweep; None: every point of a finite space.
        seeds: descents per trial.
        problems: in place of `problem`: one setting for all of them, by the geometric mean of the
            ratios to the best known counts. Each is given as `problem` is, or as a mapping with
            `name` and, if it is known, `best_known`.
        held_out: problems on which the winner runs at the end, in the same forms.
        cap: >= 1: ends a trial after cap × the fewest iterations so far; None: never.
        tracking: the file or address of MLflow's store; None: that of `MLFLOW_TRACKING_URI`, or
            `mlflow.db` in the current directory.
        name: of the study; None: made from what is swept.
        stopping: the stopping rule of the trials.
        sampler: tpe, random, qmc, gp, cmaes or grid, or a mapping with `name` and options.
        workers: processes that share the study; `all`: one for each core.
        overrides: any further settings, as on the command line; `+sweep=NAME` takes a ready sweep.
        progress: whether progress is shown; None: in a terminal and in a notebook.

    Raises:
        BadInput: a value that cannot be used; nothing is written then.
        GdexpError: too many trials failed.
        StorageFailed: the study or MLflow's store cannot be written.
        StudyInUse: another process works on the study.
        KeyboardInterrupt: Ctrl-C; what is finished is kept.
    """
    composer = Composer()

    def launch(lists: list[list[str]]) -> None:
        for worker_lines in lists:
            run_worker(composer.plain(worker_lines))

    with called(progress):
        chosen = _objects(problem, optimizer, stopping)
        for key, given in (("problems", problems), ("held_out", held_out)):
            chosen += listed_config(key, given)
        lines = [*chosen.lines, *_settings(n_trials, seeds, cap, name, sampler, workers)]
        lines += tracking_lines(tracking)
        arguments = as_arguments(_with_space(lines, space, list(overrides)))
        _check_workers(chosen, workers)
        if workers != 1:
            _share_search_path()
        with giving(chosen.objects):
            finished = finish_sweep(OwnApplication(arguments, composer.composed, launch))
    if finished is None:
        raise BadInput("sweep.preview", True, "is for the command line")
    return Study(finished)


def _objects(problem: object, optimizer: object, stopping: Stopping | None) -> ObjectConfig:
    """Return what stands for the objects of a call."""
    found = problem_config(problem)
    if optimizer is not None:
        own = tuple(each for each in found.lines if each != "optimizer=own")
        found = ObjectConfig(own, found.objects) + optimizer_config(optimizer)
    return found if stopping is None else found + stopping_config(stopping, sweep=True)


def _settings(
    n_trials: int | None,
    seeds: int,
    cap: float | None,
    name: str | None,
    sampler: str | Mapping[str, object] | None,
    workers: int | str,
) -> list[str]:
    """Return the settings of a sweep that are not at their default, as overrides."""
    given: dict[str, object] = {"n_trials": n_trials, "seeds": seeds, "cap": cap, "name": name}
    given |= {"sampler": sampler, "workers": workers}
    default = {"n_trials": 100, "seeds": 1, "workers": 1}
    return [
        f"sweep.{key}={literal(value.item() if isinstance(value, np.generic) else value)}"
        for key, value in given.items()
        if value != default.get(key)
    ]


def _with_space(
    lines: Sequence[str], space: Mapping[str, Range] | None, overrides: Sequence[str]
) -> list[str]:
    """Return the overrides of a sweep.

    A range takes the place of a plain value of its key, an override that of an argument.

    Args:
        lines: of the arguments.
        space: as it was given.
        overrides: as they were given.
    """
    ready = any(each.startswith("+sweep") for each in overrides)
    whole = [] if ready else ["+sweep=manual" if space is not None else "+sweep"]
    if not isinstance(space, Mapping | None):
        raise BadInput("space", space, "must be a dict: {'optimizer.lr': gdexp.log(0.1, 5)}")
    ranges = [f"{key}={_range(key, values)}" for key, values in (space or {}).items()]
    later = {_key(each) for each in [*ranges, *overrides]}
    return [*whole, *(each for each in lines if _key(each) not in later), *ranges, *overrides]


def _range(key: str, values: Range) -> str:
    """Return the values of a key in Hydra's grammar."""
    if isinstance(values, str):
        return values
    if isinstance(values, range):
        return f"range({values.start},{values.stop},{values.step})"
    if isinstance(values, list | tuple) and values:
        return f"choice({','.join(literal(plain(each)) for each in values)})"
    raise BadInput(f"space[{key!r}]", values, "must be log(a, b), a list, a range or an expression")


def _key(line: str) -> str:
    return line.partition("=")[0].lstrip("+~")


def _check_workers(chosen: ObjectConfig, workers: int | str) -> None:
    """Refuse other processes for objects that only this one has."""
    if chosen.objects and workers != 1:
        raise BadInput(
            "workers",
            workers,
            f"needs an import path, and {chosen.names} has none: move it from the script or "
            "notebook into a module beside it, and import it from there",
        )


def _share_search_path() -> None:
    """Let workers import what this process can, such as modules beside its script."""
    own = [str(Path(each or ".").resolve()) for each in sys.path]
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    python = (sys.prefix, sys.base_prefix)
    known = [each for each in own if Path(each).is_dir() and not each.startswith(python)]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(filter(None, [*before, *known])))
