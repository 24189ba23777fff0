"""The reference of a rerun: a recorded descent, read as untrusted data."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from gdexp import config
from gdexp.core import GdexpError
from gdexp.experiment import (
    ALONE,
    BATCH,
    ENVIRONMENT,
    PROBLEM_SOURCE,
    USER_SOURCES,
    recorded_code,
)
from gdexp.reruns.verdict import EXIT_DIFFERENT, EXIT_NO_REFERENCE, Level
from gdexp.runs import parse_config
from gdexp.tracking import Array, check_trace, decode_array, params
from gdexp.training import TENSORS, TRACES

MOST_THREADS = 1_024

MOST_SHOWN = 80
"""The most characters of a stored text that a message quotes."""


class NoReference(GdexpError):
    """A run has no recorded descent that a rerun could be compared with."""

    exit_status = EXIT_NO_REFERENCE
    level = Level.NO_REFERENCE


class DamagedReference(GdexpError):
    """The files of a recorded run do not agree with its manifest."""

    exit_status = EXIT_DIFFERENT
    level = Level.DAMAGED


def is_metric_trace(name: str) -> bool:
    """Return whether a file of a record is the trace of a training's metric."""
    return name.startswith(f"{TRACES}/") and name.endswith(".npy") and name.count("/") == 1


@dataclass(frozen=True)
class RecordedTraining:
    """What is recorded of a training beside its losses.

    Attributes:
        updates: that it made.
        digests: the sha256 of each parameter and buffer, under `initial` and `final`.
    """

    updates: int
    digests: Mapping[str, Mapping[str, str]]

    @classmethod
    def parse(cls, content: bytes) -> RecordedTraining:
        """Read it from the file of a record, which anyone may have written.

        Raises:
            ValueError: it is malformed.
        """
        found = json.loads(content)
        updates = found.get("updates") if isinstance(found, dict) else None
        if not isinstance(updates, int) or isinstance(updates, bool) or not 0 <= updates <= 10**9:
            raise ValueError("holds no number of updates")
        digests = {}
        for key in ("initial", "final"):
            of_weights = found.get(key)
            if not isinstance(of_weights, dict) or not all(
                isinstance(each, str) for each in of_weights.values()
            ):
                raise ValueError(f"holds no digests of the {key} weights")
            digests[key] = of_weights
        return cls(updates, digests)


@dataclass(frozen=True, eq=False)
class Reference:
    """One recorded descent.

    Attributes:
        run_id: MLflow's id of the run, also if an export folder was read.
        shown: its name in messages.
        argument: what a user types after `+rerun=` to select it.
        status: why it ended, one of `Status`.
        files: the files of its record, checked against the manifest.
        tags: the known tags of the run.
        metrics: the known metrics of the run.
        params: the known params of the run.
        program_reason: why a program that it names is not among the files.
    """

    run_id: str
    shown: str
    argument: str
    status: str
    files: Mapping[str, bytes]
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    program_reason: str = ""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The config as plain containers; its keys and values are not checked."""
        return parse_config(self.files["config.yaml"])

    @cached_property
    def environment(self) -> dict[str, Any]:
        """The environment of the run; any part may be missing or malformed."""
        found = json.loads(self.files[ENVIRONMENT])
        return found if isinstance(found, dict) else {}

    @cached_property
    def training(self) -> RecordedTraining | None:
        """What is recorded of a training beside its losses; None of a descent.

        Raises:
            ValueError: it is malformed.
        """
        content = self.files.get(TENSORS)
        return None if content is None else RecordedTraining.parse(content)

    @cached_property
    def initial(self) -> Array:
        """The point at iteration 0, in the dtype in which it is stored; empty if it is not."""
        return self._weights("initial.npy")

    @cached_property
    def final(self) -> Array:
        """The point at the last iteration, in the dtype in which it is stored; empty if not."""
        return self._weights("final.npy")

    def _weights(self, name: str) -> Array:
        if self.training is not None and name not in self.files:
            return np.empty(0)
        return decode_array(self.files[name])

    @cached_property
    def trace(self) -> Array:
        """The loss at iterations 0 … n; float64, shape (n + 1,)."""
        return check_trace(decode_array(self.files["trace.npy"]), self.training is not None)

    @cached_property
    def readings(self) -> Mapping[str, Array]:
        """The traces of a training's metrics, by the name of their file."""
        names = sorted(filter(is_metric_trace, self.files))
        return {name: decode_array(self.files[name]) for name in names}

    @property
    def digests(self) -> Mapping[str, Mapping[str, str]]:
        """The digests of a training's weights at its start and end; empty of a descent."""
        return {} if self.training is None else self.training.digests

    @property
    def updates(self) -> int:
        """The number of updates, those of a continuation included."""
        return len(self.trace) - 1 if self.training is None else self.training.updates

    @property
    def iterations(self) -> int:
        """The number of updates until the descent ended; its trace may go on after that."""
        updates, recorded = self.updates, self.metrics.get("iterations", math.nan)
        continued = "updates" in self.metrics and 0 <= recorded <= updates
        return int(recorded) if continued else updates

    @property
    def grouping(self) -> str:
        """`ALONE` or `BATCH`; alone if it is not recorded.

        Version 0.1.0 recorded it under the name `engine`.
        """
        recorded = self.environment.get("grouping", self.environment.get("engine"))
        return BATCH if recorded == BATCH else ALONE

    @property
    def threads(self) -> int | None:
        """The recorded thread count of torch; None if there is none that can be set."""
        torch = self.environment.get("torch")
        threads = torch.get("threads") if isinstance(torch, dict) else None
        if not isinstance(threads, int) or isinstance(threads, bool):
            return None
        return threads if 1 <= threads <= MOST_THREADS else None

    def command(self, argument: str | None = None) -> str:
        """Return the command that reruns it, with the `trust` that it needs.

        Args:
            argument: what to write after `+rerun=`; None: the attribute `argument`.
        """
        if (reason := config.why_not_rerunnable(self.config, self.run_id)) is not None:
            return f"# {reason}"
        words = ["python -m gdexp", shlex.quote(f"+rerun={argument or self.argument}")]
        if paths := config.import_paths(self.config):
            words.append(shlex.quote(f"trust=[{','.join(paths)}]"))
        return " ".join(words)

    def text(self, name: str) -> str:
        """Return a stored text; empty if there is none."""
        return self.files.get(name, b"").decode(errors="replace")

    @property
    def sources(self) -> dict[str, str]:
        """The recorded texts of the user's own files by name; see `source_texts`."""
        return source_texts({name: self.text(name) for name in (PROBLEM_SOURCE, USER_SOURCES)})

    def contradictions(self) -> list[str]:
        """Return where the record contradicts itself, although its manifest agrees."""
        found = []
        signature = self.tags.get("gdexp.signature")
        if signature:
            numerics, arithmetic = (self.environment.get(k, 1) for k in ("numerics", "arithmetic"))
            code = recorded_code(self.environment)
            own = config.signature(self.config, code, numerics, arithmetic)
            made_of = [config.config_signature(each) for each in (signature, own)]
            if signature != own:
                name = ENVIRONMENT if made_of[0] == made_of[1] else "config.yaml"
                found.append(f"its {name} is not the one that its tag gdexp.signature was made of")
        found += self._differing_params()
        name = "updates" if "updates" in self.metrics else "iterations"
        counted = self.metrics.get(name)
        if counted is not None and counted != self.updates:
            known = abs(counted) < 1e15  # False for NaN
            file = "trace.npy" if self.training is None else TENSORS
            found.append(
                f"its {file} holds {self.updates:,} iterations, its metric {name} "
                f"says {f'{counted:,.10g}' if known else 'something else'}"
            )
        return found

    def _differing_params(self) -> list[str]:
        stored = params(self.config)
        return [
            f"its config.yaml says {key}={_cut(stored[key])}, its params say {_cut(value)}"
            for key, value in sorted(self.params.items())
            if key in stored and stored[key] != value
        ]


def source_texts(files: Mapping[str, str]) -> dict[str, str]:
    """Return the texts of the user's own files by name, from artifacts that may be malformed.

    Args:
        files: artifacts by name; `PROBLEM_SOURCE` keeps its name.
    """
    found = {PROBLEM_SOURCE: files.get(PROBLEM_SOURCE, "")}
    try:
        others = json.loads(files.get(USER_SOURCES) or "{}")
    except (ValueError, RecursionError):
        return found
    if isinstance(others, dict):
        found |= {name: text for name, text in others.items() if isinstance(text, str)}
    return found


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
