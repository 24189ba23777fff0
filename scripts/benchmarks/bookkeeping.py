"""What a trial costs beside its descent and its record in MLflow: ask, config, tell."""

from __future__ import annotations

import itertools
import math
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_dir

from benchmarks.measure import Figure, by_turns, figure, ratios
from benchmarks.studies import elsewhere, loaded
from gdexp import config, hydra_plugins
from gdexp.descent.cap import Cap
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.space.composition import compose_space
from gdexp.sweeps.study.study import open_study, tell
from gdexp.sweeps.study.trial_record import RECORD, TrialRecord
from gdexp.sweeps.worker.ask import TrialAsker

if TYPE_CHECKING:
    from optuna import Study

TRIALS, TIMED = 1_000, 20
RATIO, MOST_MS = 1.5, 2


def run(rounds: int) -> list[Figure]:
    """A trial at 1,000 told ones, by gdexp and by Optuna alone, on journals of equal content."""
    import optuna

    hydra_plugins.register()
    with elsewhere() as folder, initialize_config_dir(str(config.shipped()), version_base="1.3"):
        plan = _plan(folder / "ours.journal")
        study = open_study(plan)
        _fill(study, plan)
        shutil.copy(folder / "ours.journal", folder / "bare.journal")
        bare = loaded(folder / "bare.journal", plan.name)
        bare.sampler = optuna.samplers.TPESampler(multivariate=True, seed=0)
        first = study.trials[0]
        record = TrialRecord.of(first)
        asking, ordinals = TrialAsker(study, plan), itertools.count(TRIALS)

        def ours() -> None:
            asked = asking.ask(next(ordinals))
            asked.trial.set_user_attr(RECORD, record.as_attribute())
            tell(study, asked.number, record)

        def optunas() -> None:
            trial = bare.ask(plan.space.distributions)
            bare.tell(trial, record.hitting_time)

        def composing() -> None:
            plan.experiments(first.params)

        def hydras() -> None:
            compose("config", ["optimizer.lr=1.5", "stopping.threshold=1e-5"])

        times = by_turns({"ours": _mean(ours), "bare": _mean(optunas)}, rounds)
        configs = by_turns({"ours": _mean(composing), "hydra": _mean(hydras, 3)}, rounds)
    ours_ms, bare_ms = (1000 * statistics.median(times[name]) for name in ("ours", "bare"))
    own_ms, hydra_ms = (1000 * statistics.median(configs[name]) for name in ("ours", "hydra"))
    return [
        figure(
            f"gdexp's ask, config, tell / Optuna's ask, tell at {TRIALS:,} TPE trials",
            ratios(times["ours"], times["bare"]),
            RATIO,
            note=f"{ours_ms:.1f} ms against {bare_ms:.1f} ms",
        ),
        figure(
            "milliseconds to compose and check a trial's config",
            [1000 * seconds for seconds in configs["ours"]],
            MOST_MS,
        ),
        figure(
            "one Hydra compose / that",
            ratios(configs["hydra"], configs["ours"]),
            1,
            "higher",
            f"{hydra_ms:.1f} ms against {own_ms:.2f} ms",
        ),
    ]


def _mean(once: Callable[[], None], times: int = TIMED) -> Callable[[], float]:
    def mean() -> float:
        began = time.perf_counter()
        for _ in range(times):
            once()
        return (time.perf_counter() - began) / times

    return mean


def _plan(journal: Path) -> Plan:
    """The default sweep's."""
    given = config.parse_overrides(["+sweep=default", f"sweep.storage={journal}"])

    def composed(lines: list[str]) -> config.Config:
        return config.plain(compose("config", lines))

    return Plan.build(*compose_space(given, composed))


def _fill(study: Study, plan: Plan) -> None:
    """Add trials as a sweep leaves them, of the matrix problem, whose counts are a formula."""
    import optuna

    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    record = _record(plan, drawn.ask(plan.space.distributions).params)
    for _ in range(TRIALS):
        trial = drawn.ask(plan.space.distributions)
        rate, threshold = trial.params["optimizer.lr"], trial.params["stopping.threshold"]
        factor = abs(1 - 2 * rate / 9)
        value = math.log(threshold / 0.1) / (2 * math.log(factor)) if factor < 1 else 1e6
        changed = replace(record, hitting_time=value, threshold=threshold)
        study.add_trial(
            optuna.trial.create_trial(
                params=trial.params,
                distributions=plan.space.distributions,
                value=value,
                user_attrs={RECORD: changed.as_attribute()},
            )
        )


def _record(plan: Plan, parameters: dict[str, Any]) -> TrialRecord:
    result = plan.experiment(parameters).run()
    return TrialRecord.build("0" * 32, [result], Cap(None), 1, [False])
