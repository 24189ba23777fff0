"""Further descents of finished trials: each is recorded, and made once.

They are from further seeds, or on held-out problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console

from gdexp.descent import Cap
from gdexp.experiment import Experiment, process_settings, provenance_files
from gdexp.sweeps.display import Progress
from gdexp.sweeps.evidence import SeedCounts
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.problem_list import ListedProblem, descent_keys, problem_digest
from gdexp.sweeps.study import FURTHER, RACED, TESTED
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial, FinishedDescent
from gdexp.sweeps.worker.batch_size import MAX_LOSSES
from gdexp.sweeps.worker.cache import RunCache
from gdexp.sweeps.worker.evaluate import TrialEvaluator
from gdexp.sweeps.worker.watch import DescentWatch
from gdexp.tracking import (
    CONFIRMATION,
    HELD_OUT,
    RACE,
    PlannedRun,
    Record,
    RunHeader,
    Store,
    descent_record,
)

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

Known = Mapping[str, Sequence[object]]
"""Of each descent the count, whether it converged, its run id, and but for a confirmation also its
status, its last loss, its updates, and the trials of the race that it was made for; by its key: the
position of its seed after the sweep's first, or also that of its problem."""

Block = Sequence[tuple["FrozenTrial", Sequence[str]]]
"""Trials that run together, each with keys of descents."""


@dataclass(frozen=True)
class Purpose:
    """What further descents are for.

    Attributes:
        attribute: of the study; with a dot and a trial's number it holds what is known.
        kind: of the runs.
        tag: of the runs: the number of the trial.
        name: what the name of a run begins with.
        stored: how many entries of a descent the study keeps.
    """

    attribute: str
    kind: str
    tag: str
    name: str
    stored: int


CONFIRMS = Purpose(FURTHER, CONFIRMATION, "gdexp.confirms", "confirms", 3)
RACES = Purpose(RACED, RACE, "gdexp.races", "races", 7)
HOLDS_OUT = Purpose(TESTED, HELD_OUT, "gdexp.held_out", "held out", 7)


class FurtherDescents:
    """Makes descents of finished trials that are none of the trials' own.

    The study keeps each outcome when its run is written. After a kill between the two the run is
    found by its signature, and not made again.

    Args:
        plan: of the sweep.
        study: keeps the outcomes.
        store: takes the runs.
        parent: the run id of the sweep.
        purpose: of the descents.
    """

    def __init__(
        self, plan: Plan, study: Study, store: Store, parent: str, purpose: Purpose = CONFIRMS
    ) -> None:
        self._plan, self._study, self._purpose = plan, study, purpose
        self._store, self._parent = store, parent
        self._watch = DescentWatch(
            Progress(Console(quiet=True), 1), lambda _: None, lambda *_: None
        )
        self._begun = {key for key in study.user_attrs if key.startswith(f"{purpose.attribute}.")}
        self._earlier: RunCache | None = None

    def everything(self) -> dict[int, Known]:
        """Return what is stored, by trial."""
        begin = f"{self._purpose.attribute}."
        return {
            int(key.removeprefix(begin)): known
            for key, known in self._study.user_attrs.items()
            if key.startswith(begin)
        }

    def made(
        self, trials: Sequence[FrozenTrial], keys: Sequence[str], stage: int = 0
    ) -> dict[int, Known | None]:
        """Return what is known of trials; descents that are not known are made, many together.

        Args:
            trials: finished ones.
            keys: of the descents of each.
            stage: is stored with the descents of a race: how many trials that race has.

        Returns:
            By number; None of a trial with a descent that fails.
        """
        stored = self.everything()
        known = {each.number: dict(stored.get(each.number, {})) for each in trials}
        failed: set[int] = set()
        missing = [
            (each, [key for key in keys if key not in known[each.number]]) for each in trials
        ]
        for block in self._blocks([(each, own) for each, own in missing if own]):
            for (trial, own), evaluated in zip(block, self._evaluated(block), strict=True):
                if evaluated.failure is not None:
                    failed.add(trial.number)
                if trial.number in failed:
                    continue
                found = known[trial.number]
                runs = self._recorded(trial.number, evaluated)
                for key, descent, run_id in zip(own, evaluated.descents, runs, strict=True):
                    found[key] = _outcome(descent, run_id, stage)[: self._purpose.stored]
                self._study.set_user_attr(self._key(trial.number), found)
        return {number: None if number in failed else found for number, found in known.items()}

    @property
    def problems(self) -> Sequence[ListedProblem]:
        """The listed problems of the descents; none where they run on the sweep's only one."""
        return self._plan.problems

    def _experiment(self, trial: FrozenTrial, key: str) -> Experiment:
        """Return the experiment of a descent."""
        digest, _, seed = key.rpartition(".")
        problem = next((each for each in self.problems if each.digest == digest), None)
        return self._plan.experiment(trial.params, int(seed), problem)

    def _tags(self, experiment: Experiment) -> Mapping[str, str]:
        """Return the tag that names the problem, if several are listed; it is in the name too."""
        if not self.problems:
            return {}
        digest = problem_digest(experiment.config)
        return {"gdexp.problem": next(p.name for p in self.problems if p.digest == digest)}

    def _key(self, number: int) -> str:
        return f"{self._purpose.attribute}.{number}"

    def _blocks(self, missing: Block) -> Iterator[Block]:
        """Yield what runs together: many descents of a function, or one training."""
        most = max(MAX_LOSSES // (int(self._plan.base["stopping"]["max_iterations"]) + 1), 1)
        block: list[tuple[FrozenTrial, Sequence[str]]] = []
        rows = 0
        for trial, keys in missing:
            alone = self._plan.experiment(trial.params).function is None
            step = 1 if alone else most
            for begin in range(0, len(keys), step):
                part = keys[begin : begin + step]
                if block and (alone or rows + len(part) > most):
                    yield block
                    block, rows = [], 0
                block.append((trial, part))
                rows += most if alone else len(part)
        if block:
            yield block

    def _evaluated(self, block: Block) -> Iterator[EvaluatedTrial]:
        cache = self._cache([trial.number for trial, _ in block])
        asked = [AskedTrial.build(trial, self._experiments(trial, own)) for trial, own in block]
        evaluator = TrialEvaluator(Cap(None), cache, self._watch.observed, self._watch.together)
        return evaluator.run(asked)

    def _experiments(
        self, trial: FrozenTrial, keys: Sequence[str]
    ) -> Callable[[], Sequence[Experiment]]:
        return lambda: [self._experiment(trial, key) for key in keys]

    def _cache(self, numbers: Sequence[int]) -> RunCache | None:
        """Return the runs of an earlier start, where it began one of these trials."""
        new = [number for number in numbers if self._key(number) not in self._study.user_attrs]
        for number in new:
            self._study.set_user_attr(self._key(number), {})
        if not self._plan.tracks or not self._begun & set(map(self._key, numbers)):
            return None
        if self._earlier is None:
            self._earlier = RunCache(self._store)
        return self._earlier

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
        seed, purpose = descent.experiment.seed, self._purpose
        own = self._tags(descent.experiment)
        tags = {
            purpose.tag: str(number),
            "gdexp.seed": str(seed),
            "gdexp.study": self._plan.name,
            **own,
        }
        name = " ".join([purpose.name, str(number), *own.values(), f"seed={seed}"])
        return RunHeader(name, purpose.kind, self._parent, tags)

    def _record(self, descent: FinishedDescent) -> Record:
        experiment, result = descent.experiment, descent.result
        made = provenance_files(
            experiment.config, descent.grouping, False, process_settings(), result.program
        )
        return descent_record(experiment, result, made, {})


class FurtherSeeds(FurtherDescents):
    """Makes descents from seeds after those of the sweep."""

    def counts(self, trial: FrozenTrial, seeds: range) -> SeedCounts | None:
        """Return the counts of a trial; descents that are not known are made.

        Args:
            trial: a finished one.
            seeds: positions after the sweep's first seed.

        Returns:
            None where a descent fails.
        """
        known = self.outcomes([trial], seeds)[trial.number]
        if known is None:
            return None
        found = [known[key] for key in descent_keys(self.problems, seeds)]
        counts, reached = [int(str(each[0])) for each in found], [bool(each[1]) for each in found]
        return SeedCounts(trial.number, counts, reached, max(len(self.problems), 1))

    def outcomes(
        self, trials: Sequence[FrozenTrial], seeds: range, stage: int = 0
    ) -> dict[int, Known | None]:
        """Return what `made` does, by positions of seeds."""
        return self.made(trials, descent_keys(self.problems, seeds), stage)


class HeldOutDescents(FurtherDescents):
    """Makes descents on problems that no trial ran on."""

    @property
    def problems(self) -> Sequence[ListedProblem]:
        """The held-out ones."""
        return self._plan.held_out


def _outcome(descent: FinishedDescent, run_id: str, stage: int) -> list[object]:
    """Return what the study keeps of a descent."""
    result = descent.result
    reached = result.iterations, result.converged, run_id
    return [*reached, str(result.status), result.final_loss, result.updates, stage]
