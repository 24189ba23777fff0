"""Which workers of a study are alive, by their signs of life."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gdexp.core import StudyInUse, machine, process_start, signals
from gdexp.sweeps.study.heartbeat import BEAT_SECONDS
from gdexp.sweeps.study.worker_identity import SIGN

if TYPE_CHECKING:
    from optuna import Study

GONE_AFTER_SECONDS = 15.0
"""A worker on another machine is taken for gone after this time without a new sign."""


class WorkerLiveness:
    """Tells which workers of a study are alive.

    A worker whose process this process can see is alive while that process exists. Any other is
    alive while its sign keeps changing, by the clock of this process: the clocks of several
    machines need not agree.

    Args:
        seconds: without a new sign after which a worker elsewhere is taken for gone.
        clock: returns seconds; tests give their own.
    """

    def __init__(
        self, seconds: float = GONE_AFTER_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._clock = seconds, clock
        self._last_signs: dict[str, tuple[object, float]] = {}
        self._machine = machine()

    def alive(self, attributes: Mapping[str, Any]) -> set[str]:
        """Return the workers that are alive, or may be.

        Args:
            attributes: of the study, as they are now.
        """
        now = self._clock()
        alive = set()
        for key, sign in attributes.items():
            if not key.startswith(SIGN) or not isinstance(sign, Mapping):
                continue
            worker = key.removeprefix(SIGN)
            if sign.get("place") == self._machine:
                began = process_start(int(sign.get("pid", -1)))
                if began is not None and began == sign.get("began"):
                    alive.add(worker)
                continue
            last = self._last_signs.get(worker)
            if last is None or last[0] != sign:
                last = self._last_signs[worker] = (dict(sign), now)
            if now - last[1] < self._seconds:
                alive.add(worker)
        return alive


def wait_for_other_workers(study: Study, name: str) -> None:
    """Wait until no worker of an earlier driver is alive: its writes would mix with the new ones.

    Workers of this machine that were killed count as gone at once; others after a silence.

    Args:
        study: whose lock this process holds.
        name: of the study.

    Raises:
        StudyInUse: a worker is still at work.
    """
    liveness, until = WorkerLiveness(), time.monotonic() + GONE_AFTER_SECONDS + BEAT_SECONDS
    before = dict(study.user_attrs)
    while alive := liveness.alive(now := study.user_attrs):
        moved = [worker for worker in alive if now[SIGN + worker] != before.get(SIGN + worker)]
        if moved or time.monotonic() > until:
            sign = now[SIGN + (moved or sorted(alive))[0]]
            where = str(sign["place"]).split()[0]
            raise StudyInUse(
                f"sweep.name={name}: process {sign['pid']} on {where} is at work on this study; "
                "wait for it, end it, or give another sweep.name"
            )
        signals.check()
        time.sleep(0.1)
