"""Running the descents of the trials that were asked together, alone or in batches."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from typing import TypeVar

from gdexp.core import GdexpError, StorageFailed
from gdexp.descent import (
    BatchSaving,
    Cap,
    Monitor,
    Result,
    Status,
    descend_batch,
    in_one_tensor,
)
from gdexp.experiment import BATCH, Experiment
from gdexp.sweeps.failure import Failure
from gdexp.sweeps.pruning import PrunedTrials
from gdexp.sweeps.trial import AskedTrial, EvaluatedTrial, FinishedDescent
from gdexp.sweeps.worker.cache import RunCache
from gdexp.sweeps.worker.checkpoints import TrialCheckpoints
from gdexp.sweeps.worker.watch import Observer
from gdexp.training import ALL, Kept

T = TypeVar("T")

BatchWatch = Callable[[int, int], None]

Pairs = Sequence[tuple[AskedTrial, Experiment]]
"""Descents that are to be run, each with its trial."""

Finished = dict[int, FinishedDescent | Failure]
"""Finished descents, and those that failed, by the `id` of their experiment."""


class TrialEvaluator:
    """Evaluates trials. The outcome of a trial does not depend on which others run with it.

    Args:
        cap: limits every trial; trials that converge are added to it.
        cache: earlier runs to be reused instead of new descents; None: none.
        observe: gives what sees a descent that runs alone.
        watch_batch: makes the callback of descents that run together.
        pruning: ends trials early; None: nothing does.
        kept: what results of trainings keep of the weights.
        checkpoints: of the trials.
    """

    def __init__(
        self,
        cap: Cap,
        cache: RunCache | None,
        observe: Callable[
            [AskedTrial, Experiment, Monitor | None], AbstractContextManager[Observer]
        ],
        watch_batch: Callable[[Sequence[AskedTrial]], BatchWatch],
        pruning: PrunedTrials | None = None,
        kept: Kept = ALL,
        checkpoints: TrialCheckpoints | None = None,
    ) -> None:
        self._cap = cap
        self._cache = cache
        self._observe = observe
        self._watch_batch = watch_batch
        self._pruning, self._kept, self._checkpoints = pruning, kept, checkpoints

    def run(self, trials: Sequence[AskedTrial]) -> Iterator[EvaluatedTrial]:
        """Yield the trials in order, each as soon as it and all before it are finished."""
        capped = self._cap.factor is not None and any(len(t.experiments) > 1 for t in trials)
        if capped or self._pruning is not None:
            yield from map(self._seed_by_seed, trials)
            return
        pairs = [(asked, experiment) for asked in trials for experiment in asked.experiments]
        # With a cap the order stays: each trial is limited by those before it.
        group = _by_kind if self._cap.factor is None else _by_kind_in_order
        finished: Finished = {}
        waiting = deque(trials)
        yield from _complete(waiting, finished)
        for pairs_of_kind in group(pairs):
            for descents in self._run_kind(pairs_of_kind):
                finished |= descents
                yield from _complete(waiting, finished)

    def _run_kind(self, pairs: Pairs) -> Iterator[Finished]:
        """Run descents of one problem and rule, except those that the cache has."""
        new: list[tuple[AskedTrial, Experiment]] = []
        for asked, experiment in pairs:
            cached = self._find(experiment)
            if cached is None:
                new.append((asked, experiment))
                continue
            if self._cap.factor is not None:
                yield from self._run_new(new)
                new = []
                self._add_to_cap(cached.result)
            yield {id(experiment): cached}
        yield from self._run_new(new)

    def _run_new(self, pairs: Pairs) -> Iterator[Finished]:
        if not pairs or not _fits_one_batch(pairs[0][1]):
            yield from self._run_each(pairs)
            return
        saves, in_order = self._checkpoints, self._cap.factor is not None
        for some, saving in [(pairs, None)] if saves is None else saves.of_batch(pairs, in_order):
            goes_on = saving is not None and saving.goes_on
            together = len(some) > 1 or goes_on
            yield from self._run_together(some, saving) if together else self._run_each(some)

    def _run_together(self, pairs: Pairs, saving: BatchSaving | None) -> Iterator[Finished]:
        cap = self._cap.copy()
        together = _attempt(lambda: self._run_batch(pairs, saving))
        if not isinstance(together, Failure):
            yield together
            return
        self._cap.restore(cap)
        yield from self._run_each(pairs)  # each row shows whether it fails

    def _run_each(self, pairs: Pairs) -> Iterator[Finished]:
        for asked, experiment in pairs:
            limit = self._cap.limit(experiment.stopping.threshold)
            descent = self._run_alone(asked, experiment, limit)
            if isinstance(descent, FinishedDescent):
                self._add_to_cap(descent.result)
            yield {id(experiment): descent}

    def _run_alone(
        self,
        asked: AskedTrial,
        experiment: Experiment,
        limit: int | None,
        monitor: Monitor | None = None,
    ) -> FinishedDescent | Failure:
        capped = experiment.with_cap(limit)

        def run() -> FinishedDescent:
            saves = None if self._checkpoints is None else self._checkpoints.of(asked, capped)
            with self._observe(asked, experiment, monitor) as seen:
                result = capped.run(seen.watch, seen.monitor, self._kept, saves)
            made = experiment.with_cap(result.stopping.cap)  # a saved training may have made more
            return FinishedDescent(made.of_result(result), result)

        return _attempt(run)

    def _run_batch(self, pairs: Pairs, saving: BatchSaving | None) -> Finished:
        experiments = [experiment for _, experiment in pairs]
        first = experiments[0]
        assert first.function is not None, "only functions of x run together"
        with first.problem_errors():
            results = descend_batch(
                first.function,
                [experiment.rule for experiment in experiments],
                [experiment.stopping for experiment in experiments],
                seeds=[experiment.seed for experiment in experiments],
                dtype=first.dtype,
                device=first.device,
                engine=first.engine,
                plans=first.plans,
                cap=self._cap if self._cap.factor is not None else None,
                watch=self._watch_batch([asked for asked, _ in pairs]),
                saving=saving,
            )
        return {
            id(experiment): FinishedDescent(
                experiment.with_cap(result.stopping.cap).of_result(result),
                result,
                grouping=BATCH,
            )
            for experiment, result in zip(experiments, results, strict=True)
        }

    def _seed_by_seed(self, asked: AskedTrial) -> EvaluatedTrial:
        """Run the seeds of a trial one by one, until the cap or the pruner ends the trial."""
        trial = EvaluatedTrial(asked, failure=asked.failure)
        pruning = None if self._pruning is None else self._pruning.begin(asked.number)
        counts: list[int] = []
        for experiment in asked.experiments:
            limit = self._cap.limit(experiment.stopping.threshold, counts)
            if limit is not None and limit < 1:
                break
            known = self._find(experiment)
            descent = known or self._run_alone(asked, experiment, limit, pruning)
            if isinstance(descent, Failure):
                trial.failure = descent
                break
            trial.descents.append(descent)
            counts.append(descent.result.iterations)
            is_last = len(counts) == len(asked.experiments)
            trial.pruned = pruning is not None and pruning.end_seed(descent.result, is_last)
            trial.readings = () if pruning is None else pruning.readings
            if trial.pruned or descent.result.status is Status.CAPPED:
                break
        return trial

    def _find(self, experiment: Experiment) -> FinishedDescent | None:
        found = None if self._cache is None else self._cache.find(experiment)
        return None if found is None else FinishedDescent(experiment, found[1], found[0])

    def _add_to_cap(self, result: Result) -> None:
        if result.converged and self._cap.factor is not None:
            self._cap.add(result.threshold, [result.iterations])


def _attempt(run: Callable[[], T]) -> T | Failure:
    """Run descents; an error is the failure of their trial, but not one of the storage."""
    try:
        return run()
    except StorageFailed:
        raise
    except GdexpError as error:
        return Failure.of(error)


def _complete(waiting: deque[AskedTrial], finished: Finished) -> Iterator[EvaluatedTrial]:
    """Take the first trials whose descents are all finished out of both."""
    while waiting and _is_complete(waiting[0], finished):
        asked = waiting.popleft()
        descents, failure = [], asked.failure
        for each in (finished.pop(id(experiment)) for experiment in asked.experiments):
            if isinstance(each, Failure):
                failure = failure or each
            elif failure is None:
                descents.append(each)
        more = bool(waiting) and _is_complete(waiting[0], finished)
        yield EvaluatedTrial(asked, descents, more, failure)


def _is_complete(asked: AskedTrial, finished: Finished) -> bool:
    """Return whether all descents of a trial are finished."""
    return all(id(experiment) in finished for experiment in asked.experiments)


def _fits_one_batch(experiment: Experiment) -> bool:
    function = experiment.function
    if function is None:
        return False
    return experiment.engine != "torch" or in_one_tensor(
        function,
        experiment.rule,
        experiment.dtype,
        experiment.device,
        math.prod(function.shape),
    )


def _kind(experiment: Experiment) -> Hashable:
    """Return what all rows of a batch must have in common."""
    kind = experiment.batch_kind
    return id(experiment) if kind is None else kind


def _by_kind(pairs: Pairs) -> list[Pairs]:
    groups: dict[Hashable, list[tuple[AskedTrial, Experiment]]] = {}
    for asked, experiment in pairs:
        groups.setdefault(_kind(experiment), []).append((asked, experiment))
    return list(groups.values())


def _by_kind_in_order(pairs: Pairs) -> list[Pairs]:
    return [list(group) for _, group in groupby(pairs, key=lambda pair: _kind(pair[1]))]
