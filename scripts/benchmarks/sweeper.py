"""Time per trial of a 50 ms function: gdexp's sweeper beside Hydra's own basic launcher.

`GDEXP_OFFICIAL_SWEEPER` names the Python of an environment with hydra-optuna-sweeper, which is then
measured too.
"""

from __future__ import annotations

import math
import os
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

OFFICIAL = "GDEXP_OFFICIAL_SWEEPER"

WAITS = """
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
    time.sleep(0.05)
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
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, (python, words, space) in ways.items():
            took = [_seconds(python, [*words, space], count) for count in (FEW, MANY)]
            seconds[way].append((took[1] - took[0]) / (MANY - FEW))
    base = seconds["basic"]
    found = [
        figure("seconds of a trial, Hydra's basic launcher", base, math.inf),
        figure("gdexp / basic launcher", _ratios(seconds["gdexp"], base), 1.1),
        figure("gdexp without folders / basic launcher", _ratios(seconds["without"], base), 0.5),
    ]
    if "official" in seconds:
        ratios = _ratios(seconds["official"], base)
        found.append(figure("hydra-optuna-sweeper / basic launcher", ratios, math.inf))
    return found


def _ratios(one: list[float], base: list[float]) -> list[float]:
    return [a / b for a, b in zip(one, base, strict=True)] if median(base) else []


def _seconds(python: str, words: list[str], count: int) -> float:
    """Return the time of a whole sweep."""
    with tempfile.TemporaryDirectory() as name:
        script = application(Path(name), WAITS)
        line = [each.format(count) for each in words]
        variables = variables_of(script)
        if python != sys.executable:
            del variables["PYTHONPATH"]
        began = monotonic()
        subprocess.run(
            [python, script.name, "-m", *line],
            cwd=name,
            env=variables,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return monotonic() - began
