"""Checks of the seeds that a sweep uses: those of its trials, and further ones."""

from __future__ import annotations

from collections.abc import Sequence

from gdexp import config
from gdexp.core import BadInput, validation
from gdexp.sweeps.objective import HITTING_TIME, Objective
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import Space


def check_seeds(settings: SweepSettings, base: config.Config, space: Space) -> None:
    """Refuse seeds that are swept too, and seeds beyond the largest.

    Raises:
        BadInput: names the key.
    """
    further = settings.confirm or 0
    seeds = settings.seeds
    if settings.race:  # one trial may get all
        seeds = settings.trial_seeds + (seeds - settings.trial_seeds) * (settings.n_trials or 100)
    if "seed" in space.keys:
        for key, value in (("seeds", seeds if seeds > 1 else None), ("confirm", settings.confirm)):
            if value is not None:
                allowed = {"seeds": "1", "confirm": "null"}[key]
                raise BadInput(
                    f"sweep.{key}", value, f"must be {allowed} where seed itself is swept"
                )
        return
    most = validation.MAX_SEED - seeds - further + 1
    if int(base["seed"]) > most:
        others = f" and sweep.confirm={further}" if further else ""
        raise BadInput(
            "seed",
            base["seed"],
            f"must be at most {most} with sweep.seeds={seeds}{others}: every descent of a trial "
            "has the seed after the last one's",
        )


def check_confirmation(settings: SweepSettings, objectives: Sequence[Objective]) -> None:
    """Refuse a confirmation and a race where no counts of iterations are compared.

    Raises:
        BadInput: names the key.
    """
    if [each.kind for each in objectives] == [HITTING_TIME]:
        return
    names = ", ".join(each.name for each in objectives)
    asked = {"confirm": (settings.confirm, "null"), "race": (settings.race or None, "false")}
    for key, (value, allowed) in asked.items():
        if value is not None:
            raise BadInput(
                f"sweep.{key}",
                value,
                f"must be {allowed} with sweep.objective={names}: it compares counts of iterations",
            )
