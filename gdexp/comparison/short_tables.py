"""The short tables of a report: the fewest iterations to each threshold, and what differs."""

from __future__ import annotations

from gdexp.comparison.comparison import Comparison
from gdexp.comparison.formatting import brief, mark, text
from gdexp.comparison.tables import AT_LEAST, Table
from gdexp.descent import ITERATIONS

MOST_PARAMS, MOST_VALUES = 4, 6
"""Params in the table of thresholds, and values of a param that are listed."""


def fewest_table(comparison: Comparison) -> Table:
    """Return a row for each threshold: the fewest iterations, and the run that needs them."""
    keys = [key for key in comparison.numeric if key != "stopping.threshold"][:MOST_PARAMS]
    rows = []
    for place, threshold in enumerate(comparison.thresholds):
        times = {run: comparison.times[run.run_id][place] for run in comparison.ranked}
        known = {run: time for run, time in times.items() if time is not None}
        reached = f"{len(known):,} of {len(times):,}"
        if not known:
            bound = comparison.bound(threshold)
            least = "-" if bound is None else f"{AT_LEAST}{bound:,.10g}"
            rows.append([mark(threshold), least, "", *("" for _ in keys), reached, ""])
            continue
        run = min(known, key=lambda run: known[run])
        values = [brief(run, key) for key in keys]
        count = f"{comparison.rounded(known[run]):,.10g}"
        name = run.short if run.trial is None else f"trial {run.trial}"
        rows.append([mark(threshold), count, f"{known[run]:.4g}", *values, reached, name])
    time = "hitting time" if comparison.cost == ITERATIONS else "not rounded"
    return Table(["threshold", comparison.cost_name, time, *keys, "reached by", "run"], rows)


def params_table(comparison: Comparison) -> Table:
    """Return a row for each param that differs: its values, and that of the best run."""
    rows = []
    for key, values in comparison.params.items():
        known = list(dict.fromkeys(text(value) for value in values if value is not None))
        numbers = comparison.numeric.get(key)
        if numbers is not None and len(known) > MOST_VALUES:
            given = [value for value in numbers if value is not None]
            spread = f"{text(min(given))} … {text(max(given))} ({len(known):,} values)"
        elif len(known) > MOST_VALUES:
            spread = f"{', '.join(known[:MOST_VALUES])}, … ({len(known):,} values)"
        else:
            spread = ", ".join(known)
        rows.append([key, brief(comparison.best, key), spread])
    return Table(["param", "of the best run", "of all runs"], rows)
