"""Better or lucky: what several seeds tell of the difference between trials."""

from gdexp.sweeps.evidence.confirmation import Confirmation, confirmation, contenders
from gdexp.sweeps.evidence.evidence import Comparison, Evidence, evidence_of
from gdexp.sweeps.evidence.race import Race, Runner, run_race
from gdexp.sweeps.evidence.running_time import FEWEST_SEEDS, SeedCounts

__all__ = [
    "FEWEST_SEEDS",
    "Comparison",
    "Confirmation",
    "Evidence",
    "Race",
    "Runner",
    "SeedCounts",
    "confirmation",
    "contenders",
    "evidence_of",
    "run_race",
]
