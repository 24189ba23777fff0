"""What was meant by a word that is neither KEY=VALUE, nor a command, nor an option."""

from __future__ import annotations

import difflib
import re

from gdexp.config.composed import shipped
from gdexp.config.keys import COMMANDS, KEYS
from gdexp.core import nearest

PROGRAMS = {
    **dict.fromkeys(
        ("ui", "mlflow", "dashboard", "runs", "list"),
        "scripts/ui shows the runs in MLflow (or: python -m gdexp.ui)",
    ),
    "docs": "scripts/docs builds the documentation and serves it",
    "json": "write output=json",
    "preview": "write +sweep sweep.preview=true",
    "test": "scripts/test runs the tests",
    "bench": "scripts/bench lists the benchmarks",
    "run": "without a command one descent is run: python -m gdexp",
    "help": "write --help",
    "version": "write --version",
}
"""Words that people type for other programs, each with what to type in its place."""

TAKES_RUNS = ("rerun", "compare", "export")

GROUPS = ("stopping", "sweep", "tracking", "checkpoint")
"""The groups whose keys may be written without the group, to be told the whole key."""

OTHER_NAMES = {
    **dict.fromkeys(("lr", "learning_rate", "rate", "step_size", "alpha", "eta"), "optimizer.lr"),
    **dict.fromkeys(("tol", "tolerance", "eps", "target_loss"), "stopping.threshold"),
    **dict.fromkeys(
        ("iterations", "max_iter", "max_iters", "n_iter", "steps", "max_steps", "num_steps"),
        "stopping.max_iterations",
    ),
    "epochs": "stopping.max_epochs",
    **dict.fromkeys(("trials", "num_trials"), "sweep.n_trials"),
    "tracking_uri": "tracking.uri",
}
"""Names that keys have in other programs."""


def bare_word(word: str) -> str | None:
    """Return what to write in place of a word without `=`; None where nothing is near.

    Args:
        word: as typed, with or without `--` or `+` before it.
    """
    name = word.lstrip("-+").lower()
    if name in PROGRAMS:
        return PROGRAMS[name]
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.7)
    return f"did you mean {_written(near[0])}?" if near else None


def option(name: str, value: str, options: list[str]) -> str:
    """Return what to write in place of an unknown option.

    Args:
        name: as typed, `--lr` or `--sweep`.
        value: after its `=`, if any.
        options: the valid ones.
    """
    key = name.lstrip("-").replace("-", "_")
    meant = bare_word(key)
    if meant is not None and not value:
        return meant
    whole = full_key(key) or key
    if value or whole.partition(".")[0] in KEYS:
        return f"keys have no dashes; write {whole}={value or 'VALUE'}"
    return nearest(name, options)


def no_value(word: str) -> str:
    """Return what to write in place of a word that is no command and has no `=`."""
    key = full_key(word) or word
    if key.partition(".")[0] in KEYS:
        return f"is a key; write {key}=VALUE, without blanks around ="
    return "is no command; write KEY=VALUE, or --help to see both"


def full_key(key: str) -> str | None:
    """Return the key that a name without a dot stands for; None where it is not known.

    `lr` and `learning_rate` are `optimizer.lr`, `n_trials` is `sweep.n_trials`. A name that two
    groups have, such as `cap`, stands for none.
    """
    if "." in key:
        return None
    if key in OTHER_NAMES:
        return OTHER_NAMES[key]
    having = [f"{name}.{key}" for name in GROUPS if key in _keys(name)]
    return having[0] if len(having) == 1 else None


def _keys(name: str) -> set[str]:
    """Return the keys of a group's default file in `conf`."""
    from omegaconf import OmegaConf

    return {str(key) for key in OmegaConf.load(shipped() / name / "default.yaml")}


def group(key: str) -> str | None:
    """Return the group or command that a key without a dot was meant to be; None if none is near.

    `optimiser=adam` means `optimizer=adam`, and not a key inside that group.
    """
    if not re.fullmatch(r"\w+", key):
        return None
    near = difflib.get_close_matches(key.lower(), KEYS, n=1, cutoff=0.75)
    if not near or near[0] == key:
        return None
    return f"did you mean {'+' if near[0] in COMMANDS else ''}{near[0]}?"


def _written(command: str) -> str:
    """Return a command as it is typed; those that take runs take the newest without one."""
    return f"+{command}, or +{command}=RUN_ID" if command in TAKES_RUNS else f"+{command}"
