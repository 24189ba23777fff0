"""Which trial comes next, and how many are asked at once, by one worker or by several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gdexp.sweeps.plan import Plan
from gdexp.sweeps.sampling import GRID, QMC
from gdexp.sweeps.study import WORKER, Overview, TrialRecord, claiming, nothing_waits
from gdexp.sweeps.trial import Asked

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

BATCH_SIZE, ROW_BATCH_SIZE = 64, 8192
"""Descents that are made together where nothing is gained from waiting; so many where trials are
rows of shards, of a sweep of very many. The slowest row of a batch goes on alone for most of its
time, which is shared by more rows then."""

GPU_BATCH_SIZE = 1024
"""The first of them on a GPU: there an iteration of a thousand rows takes as long as one of a
single row."""

TRIALS_PER_CHANGE = 1024
"""Trials that are asked, or told, in one change of the study: it is locked meanwhile."""

MAX_CLAIMED = 128
"""Trials that one of several workers takes at once: the others wait for the lock meanwhile."""

MAX_LOSSES = 2**25
"""Losses, a quarter of a gigabyte, that the traces of one batch may come to."""

MARGIN = 32
"""The traces of a batch of rows may be longer than those of the n before it, on the average by
this divided by the root of n."""


class TrialAsker:
    """Asks the study for trials.

    What the sampler draws depends on the trial's ordinal and on the trials told before the batch
    that it is asked in. So where a batch begins matters only to samplers that learn, and these
    ask one trial at a time unless `sweep.batch` says otherwise.

    Args:
        study: of the plan.
        plan: whose `batch` is used, or else what suits its sampler.
    """

    def __init__(self, study: Study, plan: Plan) -> None:
        from optuna.trial import TrialState

        self._study = study
        self._plan = plan
        self._sampler = plan.sampler
        self._seed = int(plan.base["seed"])
        waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        self._queued = len(waiting)
        self._losses = self._descents = 0

    def add_lengths(self, record: TrialRecord) -> None:
        """Take note of how long the traces of a finished trial are."""
        self._losses += sum(record.counts) + len(record.counts)
        self._descents += len(record.counts)

    def batch_size(self, ordinal: int) -> int:
        """How many trials from this ordinal on are asked together."""
        settings, startup = self._plan.settings, self._sampler.startup
        if settings.batch is not None:
            return settings.batch - ordinal % settings.batch
        if startup is not None:
            return max(startup - ordinal, 1)
        longest = int(self._plan.base["stopping"]["max_iterations"]) + 1
        many = GPU_BATCH_SIZE if self._plan.on_gpu else BATCH_SIZE
        if self._plan.tracking.best is not None:
            many = ROW_BATCH_SIZE
            if self._descents and self._sampler.name != GRID:  # drawn like those before
                mean, margin = self._losses / self._descents, 1 + MARGIN / self._descents**0.5
                longest = min(longest, int(mean * margin) + 1)
        many = min(many, MAX_LOSSES // longest) // settings.seeds
        return max(many, 1) - ordinal % max(many, 1)

    def must_wait(self, ordinal: int) -> bool:
        """Whether all earlier trials must be told before this one is asked."""
        startup = self._sampler.startup
        return startup is not None and ordinal >= startup

    def ask(self, ordinal: int) -> Asked:
        """The next trial: a queued one if there is any, else what the sampler chooses."""
        plan, space = self._plan, self._plan.space
        queued = bool(self._queued)
        self._queued -= queued
        self._prepare(ordinal)
        trial = self._ask(queued, ordinal)
        space.choose(trial)
        return Asked(trial, plan.experiments(trial.params))

    def claim_size(self, overview: Overview) -> int:
        """How many of the trials that nobody is at a worker among several takes at once.

        Less and less towards the end, so that all workers end together.
        """
        settings = self._plan.settings
        free = len(overview.waiting) + max(self._plan.n_trials - overview.active, 0)
        fair = -(-free // (2 * settings.worker_count))
        if settings.batch is not None:
            return min(settings.batch, free)
        if self._sampler.startup is not None:
            left = self._sampler.startup - overview.active
            return min(max(left, 1), fair)
        return min(self.batch_size(0), fair, MAX_CLAIMED)

    def claim(self, overview: Overview, worker: str) -> list[Asked]:
        """Take some trials that nobody is at, as one worker among several; none if there is none.

        They are made and marked in one piece, under the storage's lock: no other worker takes
        them, and there are never more than the sweep is to have. Their parameters are chosen
        after that, so that the others need not wait for it: but inside where they depend on what
        others draw, and in a journal file, where it takes little time and is written at once.

        Args:
            overview: of the study; it is looked at anew.
            worker: that takes them.
        """
        claimed: list[tuple[Trial, int]] = []
        quick = self._plan.served is None or self._sampler.name == QMC
        inside = quick and self._sampler.startup is None
        with claiming(self._study):
            overview.look()
            for _ in range(self.claim_size(overview)):
                queued = bool(overview.waiting)
                ordinal = overview.waiting.pop(0).number if queued else overview.active
                trial = self._ask(queued, ordinal)
                trial.set_user_attr(WORKER, worker)
                overview.running.append(trial._cached_frozen_trial)
                claimed.append((trial, ordinal))
                if inside:
                    self._choose(trial, ordinal)
        if not inside:
            for trial, ordinal in claimed:
                self._choose(trial, ordinal)
        return [Asked(trial, self._plan.experiments(trial.params)) for trial, _ in claimed]

    def _ask(self, queued: bool, ordinal: int) -> Trial:
        """A trial without its parameters: one that waits, or a new one."""
        if not queued and self._sampler.name != GRID:
            with nothing_waits(self._study):
                return self._study.ask()
        if not queued:
            space = self._plan.space
            self._study.enqueue_trial(space.encoded(space.point(ordinal)))
        return self._study.ask()

    def _choose(self, trial: Trial, ordinal: int) -> None:
        self._prepare(ordinal)
        self._plan.space.choose(trial)

    def _prepare(self, ordinal: int) -> None:
        """Give the study the sampler of the trial with this ordinal."""
        space = self._plan.space
        fixed = None if space.conditional else space.distributions
        self._study.sampler = self._sampler.for_trial(self._seed, ordinal, space.conditional, fixed)
