"""Better or lucky: what several seeds tell of the difference between trials."""

from gdexp.sweeps.evidence.evidence import Comparison, Evidence, evidence_of
from gdexp.sweeps.evidence.running_time import FEWEST_SEEDS, SeedCounts

__all__ = [
    "FEWEST_SEEDS",
    "Comparison",
    "Evidence",
    "SeedCounts",
    "evidence_of",
]
