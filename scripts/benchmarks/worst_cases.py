"""The exact worst cases of the shipped schedules, solved with PEPit and written as data.

    python -m scripts.benchmarks.worst_cases

needs `gdexp[pep]`, and writes `gdexp/theory/worst_cases.json` again: the largest gap after N = 1 …
31 updates over convex functions with L = 1, from a distance of 1. It takes about half an hour.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import gdexp
from gdexp.theory import performance_estimation
from gdexp.theory.fixed_steps import step_matrix
from gdexp.theory.stored_worst_cases import FILE, HORIZON, STEPS, Entry, rule_of

GROUPS: list[dict[str, object]] = [
    {"name": "gd", "schedule": {"name": "silver"}},
    {"name": "gd", "schedule": {"name": "optimal_constant", "horizon": HORIZON}},
    {"name": "fast_gradient"},
    {"name": "ogm"},
    {"name": "gd", "schedule": {"name": "warmup"}},
    {"name": "gd", "schedule": {"name": "warmup_cosine"}},
    {"name": "gd", "schedule": {"name": "cosine"}},
    {"name": "gd", "schedule": {"name": "inverse_time"}},
]
"""Rules with lr = 1 / L and their other defaults; `HORIZON` stands for N."""


def main() -> None:
    """Solve all, and write the file after each."""
    path = Path(gdexp.__file__).parent / "theory" / FILE
    entries: list[Entry] = []
    solver = ""
    for group in GROUPS:
        found = [
            performance_estimation.solve(step_matrix(rule_of(group, n), n), 1.0, 0.0)
            for n in range(1, STEPS + 1)
        ]
        solver = found[0].source
        entries.append(
            {
                "rule": group,
                "bounds": [float(f"{each.bound:.10g}") for each in found],
                "gaps": [float(f"{each.gap:.2g}") for each in found],
            }
        )
        made = datetime.now(UTC).date().isoformat()
        document = {"solver": solver, "made": made, "entries": entries}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(group, found[-1], flush=True)


if __name__ == "__main__":
    main()
