"""The descents of the trials that were asked together: alone or as rows of a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import groupby

from gdexp import config
from gdexp.descent import Cap, Result, Status, Watch, descend_batch, in_one_tensor
from gdexp.experiment import BATCH, Experiment
from gdexp.sweeps.trial import Asked, Done, Ran
from gdexp.sweeps.worker.cache import RunCache

BatchWatch = Callable[[int, int], None]


class TrialEvaluator:
    """Runs trials. What comes of one does not depend on which others it ran with.

    Args:
        cap: that every trial is run under, and that those which converge are added to.
        known: earlier runs to be taken instead of a new descent; None takes none.
        watch: looks at a descent that runs alone.
        watch_batch: looks at descents that run together.
    """

    def __init__(
        self,
        cap: Cap,
        known: RunCache | None,
        watch: Callable[[Asked, Experiment], Watch],
        watch_batch: Callable[[Sequence[Asked]], BatchWatch],
    ) -> None:
        self._cap = cap
        self._known = known
        self._watch = watch
        self._watch_batch = watch_batch

    def run(self, trials: Sequence[Asked]) -> Iterator[Ran]:
        """The trials in their order, each as soon as it and those before it are done."""
        if self._cap.factor is not None and any(len(t.experiments) > 1 for t in trials):
            yield from map(self._seed_by_seed, trials)
            return
        ran = [Ran(asked) for asked in trials]
        flat = [(row, e) for row in ran for e in row.asked.experiments]
        if self._cap.factor is None:
            parts = _grouped(flat)
        else:  # in order: a trial is limited by those before it
            by_kind = groupby(flat, key=lambda pair: _kind(pair[1]))
            parts = [list(alike) for _, alike in by_kind]
        made: dict[int, Done] = {}
        waiting = deque(ran)
        for part in parts:
            for piece in self._pieces(part):
                made |= piece
                while waiting and _is_done(waiting[0], made):
                    row = waiting.popleft()
                    row.descents = [made.pop(id(e)) for e in row.asked.experiments]
                    row.more = bool(waiting) and _is_done(waiting[0], made)
                    yield row

    def _pieces(self, part: Sequence[tuple[Ran, Experiment]]) -> Iterator[dict[int, Done]]:
        """Descents of one problem and rule, those that are known not made again."""
        fresh: list[tuple[Ran, Experiment]] = []
        for row, experiment in part:
            found = self._find(experiment)
            if found is None:
                fresh.append((row, experiment))
                continue
            if self._cap.factor is not None:
                yield from self._fresh(fresh)
                fresh = []
                self._count(found.result)
            yield {id(experiment): found}
        yield from self._fresh(fresh)

    def _fresh(self, part: Sequence[tuple[Ran, Experiment]]) -> Iterator[dict[int, Done]]:
        if len(part) > 1 and _together(part[0][1]):
            yield self._batch(part)
            return
        for row, experiment in part:
            yield {id(experiment): self._alone(row.asked, experiment)}

    def _alone(self, asked: Asked, experiment: Experiment) -> Done:
        capped = experiment.capped(self._cap.limit(experiment.stopping.threshold))
        result = capped.run(watch=self._watch(asked, capped))
        self._count(result)
        return Done(capped, result)

    def _batch(self, part: Sequence[tuple[Ran, Experiment]]) -> dict[int, Done]:
        experiments = [experiment for _, experiment in part]
        first = experiments[0]
        with first.named():
            batch = descend_batch(
                first.problem,
                [experiment.rule for experiment in experiments],
                [experiment.stopping for experiment in experiments],
                seeds=[experiment.seed for experiment in experiments],
                dtype=first.dtype,
                device=first.device,
                cap=self._cap if self._cap.factor is not None else None,
                watch=self._watch_batch([row.asked for row, _ in part]),
            )
        return {
            id(experiment): Done(experiment.capped(result.stopping.cap), result, engine=BATCH)
            for experiment, result in zip(experiments, batch, strict=True)
        }

    def _seed_by_seed(self, asked: Asked) -> Ran:
        """A trial of several seeds under a cap: given up as soon as it has made too many steps."""
        ran = Ran(asked)
        made: list[int] = []
        for experiment in asked.experiments:
            limit = self._cap.limit(experiment.stopping.threshold, made)
            if limit is not None and limit < 1:
                break
            found = self._find(experiment)
            if found is None:
                capped = experiment.capped(limit)
                found = Done(capped, capped.run(watch=self._watch(asked, capped)))
            ran.descents.append(found)
            made.append(found.result.iterations)
            if found.result.status is Status.CAPPED:
                break
        return ran

    def _find(self, experiment: Experiment) -> Done | None:
        found = None if self._known is None else self._known.find(experiment)
        return None if found is None else Done(experiment, found[1], found[0])

    def _count(self, result: Result) -> None:
        if result.converged and self._cap.factor is not None:
            self._cap.add(result.threshold, [result.iterations])


def _is_done(row: Ran, made: Mapping[int, Done]) -> bool:
    """Whether all descents of a trial are made."""
    return all(id(experiment) in made for experiment in row.asked.experiments)


def _together(experiment: Experiment) -> bool:
    numbers = 1
    for length in experiment.problem.shape:
        numbers *= length
    return in_one_tensor(
        experiment.problem, experiment.rule, experiment.dtype, experiment.device, numbers
    )


def _kind(experiment: Experiment) -> Hashable:
    """What all rows of a batch have in common."""
    problem = config.digest(experiment.config["problem"])
    return problem, type(experiment.rule), experiment.dtype, experiment.device


def _grouped(flat: Sequence[tuple[Ran, Experiment]]) -> list[list[tuple[Ran, Experiment]]]:
    groups: dict[Hashable, list[tuple[Ran, Experiment]]] = {}
    for row, experiment in flat:
        groups.setdefault(_kind(experiment), []).append((row, experiment))
    return list(groups.values())
