"""`scripts/bench`: lists the benchmarks, or runs those that are named."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from benchmarks.measure import Figure, as_json, print_table

BENCHMARKS = {
    "descent": ("descent", "one descent against the notebook's loop and torch.optim.SGD"),
    "batch": ("batch", "10,000 descents at once against the notebook's loop"),
    "growth": ("growth", "time and memory per iteration up to a million iterations"),
    "cap": ("cap", "gradient steps that the cap saves without changing the winner"),
    "pruning": ("pruning", "updates to the optimum, by how pruned trials are told"),
    "sampler": (
        "sampler",
        "trials and updates that samplers need to a good learning rate",
    ),
    "race": ("race", "how often a race finds the best rate, beside equal seeds"),
    "trials": ("trials", "time and memory over 5,000 trials"),
    "many": ("many_trials", "100,000 random and 2,000 TPE trials against Optuna alone"),
    "bookkeeping": ("bookkeeping", "a trial's ask, config and tell against bare Optuna"),
    "tracking": ("tracking", "points and runs into MLflow against its client and bare SQLite"),
    "sweep": ("sweep", "a tracked sweep against the stack that people write by hand"),
    "scale": ("scale", "trials per second by 1, 2 and 4 workers, and a trial's cost at 10,000"),
    "default": ("default", "the default sweep as typed against the imports of its libraries"),
    "rerun": ("rerun", "the rerun of a run of 10,000 iterations against the run itself"),
    "kills": ("kills", "sweeps killed so many times (--rounds, or a number), and what is lost"),
    "sweeper": ("sweeper", "a trial of another Hydra application against its basic launcher"),
    "sweeper_kills": ("sweeper_kills", "such sweeps killed so many times, and what is lost"),
    "checkpoints": ("checkpoints", "trainings killed so many times, and how they end"),
    "recovery": ("recovery", "time to the next trial of a 1,000-trial study after a kill"),
    "signals": ("signals", "time from a signal to the end of a run or sweep"),
    "durability": (
        "durability",
        "what checks and durability add; sweeps beside outside readers",
    ),
    "training": ("training", "a recorded training against a hand-written loop"),
    "device": ("device", "many descents on a GPU (or the device named) against the processor"),
    "engine": ("engine_speed", "the portable engine against loops, torch, C and imports"),
    "bbob": ("bbob", "the bbob functions against COCO's own package, at 2 million points a round"),
    "first_order": ("first_order", "the published table of update rules, bit for bit, and cocopp"),
    "functions": ("functions", "the portable functions against mpmath, at 10^6 points each"),
    "bits": ("bits", "bits that differ between the ways to compute a portable descent"),
    "tests": ("long_tests", "the tests in their long form: what every run takes a share of"),
    "map": ("learning_rate_map", "a million descents: 1,000 learning rates, 1,000 starts"),
}
"""Name to the module that has its `run(rounds)`, and what it measures."""


def main(arguments: list[str]) -> int:
    """Run what is asked for; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run, or all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default 5)")
    options = parser.parse_args(arguments)
    numbers = [name for name in options.names if name.isdigit()]  # as in `scripts/bench kills 200`
    places = [name for name in options.names if name.partition(":")[0] in ("cpu", "cuda")]
    options.names = [n for n in options.names if not n.isdigit() and n not in places]
    options.rounds = int(numbers[0]) if numbers else options.rounds
    if options.rounds < 1:
        parser.error(f"--rounds={options.rounds}: must be at least 1")
    names = list(BENCHMARKS) if options.names == ["all"] else options.names
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"{name}: choose from {', '.join(BENCHMARKS)}, all")
    if not names:
        for name, (_, text) in BENCHMARKS.items():
            print(f"{name:10} {text}")
        print(f"{'all':10} these, one after the other")
        return 0

    results: dict[str, list[Figure]] = {}
    for name in names:
        module, _ = BENCHMARKS[name]
        where = places[:1] if name == "device" else []  # as in `scripts/bench device cuda:1`
        results[name] = import_module(f"benchmarks.{module}").run(options.rounds, *where)
        if results[name] and not options.json:
            print_table(name, results[name])
    if options.json:
        print(as_json(results))
    return 0 if all(each.reached for figures in results.values() for each in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
