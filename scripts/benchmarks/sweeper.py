"""Time per trial of a 50 ms function: gdexp's sweeper beside Hydra's own basic launcher.

`GDEXP_OFFICIAL_SWEEPER` names the Python of an environment with hydra-optuna-sweeper, which is then
measured too. The figures "by the processor" count processor seconds beside the function's 50 ms:
other processes do not disturb them.
"""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import monotonic

from tests.support.applications import application, variables_of

from .measure import Figure, figure

FEW, MANY = 4, 24
"""Trials of a short and a long sweep: their difference holds no start and no end."""

WAIT = 0.05
"""Seconds that the function waits."""

OFFICIAL = "GDEXP_OFFICIAL_SWEEPER"

WAITS = f"""
import time
from dataclasses import dataclass

import hydra
from hydra.core.config_store import ConfigStore


@dataclass
class Config:
    x: int = 0


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg):
    time.sleep({WAIT})
    return float(cfg.x)


if __name__ == "__main__":
    main()
"""


def run(rounds: int) -> list[Figure]:
    """The seconds of a trial by each way, one after the other in every round."""
    ways = {"basic": (sys.executable, ["hydra/sweeper=basic"], "x=range(0,{})")}
    own = ["hydra/sweeper=gdexp", "hydra.sweeper.n_trials={}"]
    ways["gdexp"] = (sys.executable, own, "x=int(interval(0,1000))")
    without = [*own, "hydra.sweeper.job_dirs=false"]
    ways["without"] = (sys.executable, without, "x=int(interval(0,1000))")
    if python := os.environ.get(OFFICIAL):
        official = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials={}", "hydra.sweeper.n_jobs=1"]
        ways["official"] = (python, official, "x=int(interval(0,1000))")
    found: list[Figure] = []
    taken = [{way: _trial(*given) for way, given in ways.items()} for _ in range(rounds)]
    for at, note in enumerate(("", ", by the processor")):
        seconds = {way: [each[way][at] for each in taken] for way in ways}
        base = seconds["basic"]
        found.append(figure(f"seconds of a trial, Hydra's basic launcher{note}", base, math.inf))
        for way, name, most in (
            ("gdexp", "gdexp", 1.1),
            ("without", "gdexp without folders", 0.5),
            ("official", "hydra-optuna-sweeper", math.inf),
        ):
            if way in ways:
                ratios = _ratios(seconds[way], base)
                found.append(figure(f"{name} / basic launcher{note}", ratios, most))
    return found


def _trial(python: str, words: list[str], space: str) -> tuple[float, float]:
    """Return the seconds of one trial of a way: on the clock, and by the processor."""
    few, many = (_seconds(python, [*words, space], count) for count in (FEW, MANY))
    clock, processor = ((b - a) / (MANY - FEW) for a, b in zip(few, many, strict=True))
    return clock, processor + WAIT


def _ratios(one: list[float], base: list[float]) -> list[float]:
    return [a / b for a, b in zip(one, base, strict=True)] if median(base) else []


def _seconds(python: str, words: list[str], count: int) -> tuple[float, float]:
    """Return the time of a whole sweep: on the clock, and of the processor."""
    with tempfile.TemporaryDirectory() as name:
        script = application(Path(name), WAITS)
        line = [each.format(count) for each in words]
        variables = variables_of(script)
        if python != sys.executable:
            del variables["PYTHONPATH"]
        began, used = monotonic(), _used()
        subprocess.run(
            [python, script.name, "-m", *line],
            cwd=name,
            env=variables,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return monotonic() - began, _used() - used


def _used() -> float:
    """Return the processor seconds of all processes that have ended."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime
