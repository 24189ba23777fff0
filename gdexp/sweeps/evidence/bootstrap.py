"""Bootstrap resamples of seeds, and intervals from them.

All trials are resampled with the same seeds, so that differences between trials are paired. The
draws are 64-bit integers of a generator whose output NumPy promises to keep (`random_raw` of
PCG64), reduced by a remainder: everywhere the same.
"""

from __future__ import annotations

import math

import numpy as np

from gdexp.sweeps.evidence.running_time import Floats, Integers

RESAMPLES, SEED = 2_000, 0
LEVEL = 0.95


def resampled_seeds(seeds: int, resamples: int = RESAMPLES, seed: int = SEED) -> Integers:
    """Return positions of seeds, of shape (resamples, seeds)."""
    raw = np.random.PCG64(seed).random_raw(resamples * seeds)
    return (raw % np.uint64(seeds)).astype(np.int64).reshape(resamples, seeds)


def interval(values: Floats, seeds: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the expanded percentile interval of the bootstrap.

    The percentile interval of few seeds is too narrow: its tails are made wider as those of
    Student's t, with n − 1 for n (T. Hesterberg, What teachers should know about the bootstrap,
    The American Statistician 69, 2015, section 5.2).

    Args:
        values: of the resamples; they may be infinite.
        seeds: at least 2.
        level: of confidence.
    """
    from scipy.special import ndtr, stdtrit

    quantile = float(stdtrit(seeds - 1, (1 - level) / 2))
    tail = float(ndtr(math.sqrt(seeds / (seeds - 1)) * quantile))
    rising = np.sort(values)
    last = len(rising) - 1
    return float(rising[math.floor(tail * last)]), float(rising[math.ceil((1 - tail) * last)])


def seeds_to_tell(ratios: Floats, seeds: int) -> int | None:
    """Return the seeds with which the interval of a ratio would leave 1, if it stayed as it is.

    The width of an interval falls with the square root of the seeds.

    Args:
        ratios: of the resamples.
        seeds: that were resampled.

    Returns:
        None where the ratio is 1 or below, or not known.
    """
    finite = ratios[np.isfinite(ratios) & (ratios > 0)]
    if len(finite) < len(ratios) / 2:
        return None
    logs = np.log(finite)
    middle, spread = float(np.median(logs)), float(np.std(logs))
    if middle <= 0 or spread == 0:
        return None
    wanted = math.ceil(seeds * (1.96 * spread / middle) ** 2)
    return max(wanted, seeds + 1) if wanted <= 10_000 else None
