"""The sweep that a single run proposes, small enough to end soon."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from gdexp.config import overrides
from gdexp.core import format_duration
from gdexp.descent import Result
from gdexp.experiment import Experiment

SOON = 60.0
"""The seconds within which a proposed sweep is to end."""

TRIALS, FEW = 100, (50, 20, 10)
"""The trials of the default sweep, and of smaller ones; with fewer a sampler learns nothing."""


class SuggestedSweep(NamedTuple):
    """A command, with a note on its duration where it is not short."""

    command: str
    note: str


def suggested_sweep(experiment: Experiment, result: Result) -> SuggestedSweep:
    """Return the command that sweeps the learning rate of an experiment.

    Where 100 trials that are as long as the run would take more than a minute, fewer are proposed,
    with the cap where the run converged, and the note says how long they are. Trials that do not
    converge can be longer: a sweep that will take more than a minute says so before it begins.

    Args:
        experiment: what was run.
        result: its result.
    """
    chosen = {**experiment.config, "engine": experiment.asked_engine}
    lines = [line for line in overrides(chosen) if not line.startswith("optimizer.lr=")]
    trials = next((n for n in (TRIALS, *FEW) if n * result.seconds <= SOON), FEW[-1])
    note = ""
    if trials < TRIALS:
        lines += [f"sweep.n_trials={trials}", *(["sweep.cap=1"] if result.converged else [])]
        length = format_duration(trials * result.seconds)
        note = f" ({trials} trials as long as this run take {length})"
    return SuggestedSweep(" ".join(["python -m gdexp +sweep", *map(shlex.quote, lines)]), note)
