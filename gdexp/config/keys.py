"""The keys of a config, and those of them that decide a descent's outcome."""

from __future__ import annotations

from typing import Any

Config = dict[str, Any]
"""A composed config, or a part of one, as plain containers."""

OUTCOME_KEYS = ("problem", "optimizer", "stopping", "seed", "dtype", "device", "engine")
"""The keys that decide a descent's outcome; names, paths and tracking do not."""

ADDED_KEYS: dict[str, Any] = {
    "engine": "torch",
    "stopping.measure": "gap",
    "stopping.metric": "loss",
    "stopping.mode": None,
    "stopping.every": 50,
    "stopping.patience": None,
    "stopping.min_delta": 0.0,
    "stopping.max_seconds": None,
    "stopping.max_epochs": None,
}
"""Keys that not all versions stored, with the value that means what happened without them."""

FREE = ("problem.arguments.",)
"""The beginnings of keys that need not be in a file: arguments of the user's own code."""

COMMANDS = (
    *("sweep", "rerun", "compare", "export", "inspect", "problems", "resume", "benchmark"),
    *("certify", "delete"),
)
"""The `+name` commands. Without one of them a single descent is run."""

ONLY_WITH = {"trust": ("rerun", "resume"), "rerun_all": ("rerun",), "yes": ("delete",)}
"""Keys that only some commands read."""

KEYS = (*OUTCOME_KEYS, "tracking", "checkpoint", "output", *COMMANDS, *ONLY_WITH)

NAMES = {
    "problem.name": "problem",
    "optimizer.name": "optimizer",
    "optimizer.schedule.name": "optimizer/schedule",
}
"""Keys that name the file of a group, with the group."""
