"""Descents of finished trials from further seeds: each is recorded, and made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from gdexp.descent import Cap
from gdexp.experiment import Experiment, process_settings, provenance_files
from gdexp.sweeps.display import Progress
from gdexp.sweeps.evidence import SeedCounts
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.study import FURTHER
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial, FinishedDescent
from gdexp.sweeps.worker.cache import RunCache
from gdexp.sweeps.worker.evaluate import TrialEvaluator
from gdexp.sweeps.worker.watch import DescentWatch
from gdexp.tracking import CONFIRMATION, PlannedRun, Record, RunHeader, Store, descent_record

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

Known = Mapping[str, Sequence[object]]
"""Count, whether it converged and run id, by the position of the seed after the sweep's first."""


class FurtherSeeds:
    """Runs finished trials from seeds after those of the sweep.

    The study keeps each outcome when its run is written. After a kill between the two the run is
    found by its signature, and not made again.

    Args:
        plan: of the sweep.
        study: keeps the counts.
        store: takes the runs.
        parent: the run id of the sweep.
    """

    def __init__(self, plan: Plan, study: Study, store: Store, parent: str) -> None:
        self._plan, self._study = plan, study
        self._store, self._parent = store, parent
        progress = Progress(Console(quiet=True), 1)
        self._watch = DescentWatch(progress, lambda _: None, lambda *_: None)

    def known(self, number: int) -> Known:
        """Return what is stored of a trial."""
        found: Known = self._study.user_attrs.get(f"{FURTHER}.{number}", {})
        return found

    def counts(self, trial: FrozenTrial, seeds: range) -> SeedCounts | None:
        """Return the counts of a trial; descents that are not known are made.

        Args:
            trial: a finished one.
            seeds: positions after the sweep's first seed.

        Returns:
            None where a descent fails.
        """
        known = dict(self.known(trial.number))
        missing = [seed for seed in seeds if str(seed) not in known]
        begun = f"{FURTHER}.{trial.number}" in self._study.user_attrs
        cache = RunCache(self._store) if missing and begun and self._plan.tracks else None
        if missing and not begun:
            self._study.set_user_attr(f"{FURTHER}.{trial.number}", {})
        for block in self._blocks(trial, missing):
            evaluated = self._evaluated(trial, block, cache)
            if evaluated.failure is not None:
                return None
            runs = self._recorded(trial.number, evaluated)
            for seed, descent, run_id in zip(block, evaluated.descents, runs, strict=True):
                result = descent.result
                known[str(seed)] = [result.iterations, result.converged, run_id]
            self._study.set_user_attr(f"{FURTHER}.{trial.number}", known)
        found = [known[str(seed)] for seed in seeds]
        return SeedCounts(
            trial.number, [int(str(each[0])) for each in found], [bool(each[1]) for each in found]
        )

    def _blocks(self, trial: FrozenTrial, seeds: Sequence[int]) -> list[list[int]]:
        """Return the seeds that run together: all of a function, or one training after another."""
        if not seeds:
            return []
        if self._plan.experiment(trial.params).function is None:
            return [[seed] for seed in seeds]
        return [list(seeds)]

    def _evaluated(
        self, trial: FrozenTrial, seeds: Sequence[int], cache: RunCache | None
    ) -> EvaluatedTrial:
        def experiments() -> list[Experiment]:
            return [self._plan.experiment(trial.params, seed) for seed in seeds]

        watch = self._watch
        evaluator = TrialEvaluator(Cap(None), cache, watch.observed, watch.together)
        return next(evaluator.run([AskedTrial.build(trial, experiments)]))

    def _recorded(self, number: int, evaluated: EvaluatedTrial) -> list[str]:
        """Write the runs of descents; return the id of each."""
        if not self._plan.tracks:
            return [""] * len(evaluated.descents)
        programs = self._store.programs(self._parent)
        runs: list[tuple[PlannedRun, Record]] = []
        ids: list[str] = []
        for descent in evaluated.descents:
            if descent.source is not None:
                ids.append(descent.source)
                continue
            run = self._store.prepare(self._header(number, descent))
            program = descent.result.program
            if program is not None:
                programs.add(program)
            runs.append((run, self._record(descent)))
            ids.append(run.run_id)
        programs.write()
        self._store.write(runs)
        return ids

    def _header(self, number: int, descent: FinishedDescent) -> RunHeader:
        seed = descent.experiment.seed
        tags = {
            "gdexp.confirms": str(number),
            "gdexp.seed": str(seed),
            "gdexp.study": self._plan.name,
        }
        return RunHeader(f"confirms {number} seed={seed}", CONFIRMATION, self._parent, tags)

    def _record(self, descent: FinishedDescent) -> Record:
        experiment, result = descent.experiment, descent.result
        made = provenance_files(
            experiment.config, descent.grouping, False, process_settings(), result.program
        )
        return descent_record(experiment, result, made, {})
