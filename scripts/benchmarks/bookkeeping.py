"""What a trial costs beside its descent and its record: ask, config and tell."""

from __future__ import annotations

import math
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Figure, figure
from benchmarks.studies import elsewhere, swept
from gdexp.sweep.asking import Asking
from gdexp.sweep.plan import Plan
from gdexp.sweep.record import TrialRecord
from gdexp.sweep.settings import SweepSettings
from gdexp.sweep.space import Space
from gdexp.sweep.study import BASE, DEFINITION, _storage, tell
from gdexp.tracking import TrackingSettings

if TYPE_CHECKING:
    from optuna import Study

TRIALS, LAST = 1_000, 100
CONFIGS = 200


def run(rounds: int) -> list[Figure]:
    """The last hundred of 1,000 TPE trials, gdexp's and Optuna's own by turns in one loop."""
    from hydra import compose, initialize_config_dir

    from gdexp import config

    ratios, notes, composing, ours = [], [], [], []
    with elsewhere():
        made = swept("plan", "sweep.n_trials=1")
        definition, record = made.study.user_attrs[DEFINITION], made.records[0]
        for count in range(min(rounds, 2)):
            plan = Plan(
                base=made.study.user_attrs[BASE],
                space=Space.from_definition(definition["space"], definition["files"]),
                settings=SweepSettings(name=f"{count}", storage=f"{count}", n_trials=TRIALS),
                tracking=TrackingSettings(),
            )
            own, bare = _by_turns(plan, record, count)
            notes.append((own, bare))
            ratios.append(own / bare)
        parameters = made.study.trials[0].params
        with initialize_config_dir(str(config.shipped()), version_base="1.3"):
            for _ in range(CONFIGS):
                began = time.perf_counter()
                plan.experiments(parameters)
                ours.append(time.perf_counter() - began)
            for _ in range(5):
                began = time.perf_counter()
                compose("config")
                composing.append(time.perf_counter() - began)
    own, bare = (1000 * statistics.median(each) for each in zip(*notes, strict=True))
    config_ms, hydra_ms = (1000 * statistics.median(each) for each in (ours, composing))
    return [
        figure(
            f"ask, config, tell / Optuna's ask, tell at {TRIALS:,} TPE trials, same storage",
            ratios,
            1.5,
            note=f"{own:.1f} against {bare:.1f} ms",
        ),
        figure(
            "a trial's experiment / Hydra's compose",
            [config_ms / hydra_ms],
            0.1,
            note=f"{config_ms:.2f} against {hydra_ms:.0f} ms",
        ),
    ]


def _by_turns(plan: Plan, record: TrialRecord, seed: int) -> tuple[float, float]:
    """Median seconds of the last trials: gdexp's, and Optuna's alone."""
    import optuna

    own = _study(f"own-{seed}")
    bare = _study(f"bare-{seed}")
    asking = Asking(own, plan)
    times: dict[str, list[float]] = {"own": [], "bare": []}
    distributions = {d.name: d.distribution() for d in plan.space.dimensions}
    for ordinal in range(TRIALS):
        began = time.perf_counter()
        asked = asking.ask(ordinal)
        value = _value(asked.trial.params)
        tell(own, asked.number, _with(record, value))
        times["own"].append(time.perf_counter() - began)

        began = time.perf_counter()
        bare.sampler = optuna.samplers.TPESampler(multivariate=True, seed=ordinal)
        trial = bare.ask(distributions)
        bare.tell(trial, _value(trial.params))
        times["bare"].append(time.perf_counter() - began)
    return statistics.median(times["own"][-LAST:]), statistics.median(times["bare"][-LAST:])


def _study(name: str) -> Study:
    import optuna

    return optuna.create_study(study_name=name, storage=_storage(Path(f"{name}.journal")))


def _value(parameters: dict[str, float]) -> float:
    return abs(math.log(parameters["optimizer.lr"]) - 1) + 1


def _with(record: TrialRecord, value: float) -> TrialRecord:
    from dataclasses import replace

    return replace(record, hitting_time=value)
