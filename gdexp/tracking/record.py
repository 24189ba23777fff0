"""What MLflow is to hold of one descent, as plain names and values; MLflow itself is not needed.

`initial.npy`, `final.npy` and `trace.npy` are the record; metric history is for looking.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gdexp import config
from gdexp.descent import THRESHOLDS, Result, Trace
from gdexp.experiment import ENVIRONMENT, Experiment, environment, source_state
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.config_yaml import config_yaml
from gdexp.version import __version__

MAX_PARAM = 6000
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Opening:
    """What is known of a run before its descent.

    Attributes:
        name: shown in MLflow's lists.
        kind: run, sweep, trial or rerun.
        parent: the run id of the sweep, for a trial.
        tags: further tags.
    """

    name: str
    kind: str
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def all_tags(self) -> dict[str, str]:
        """Every tag that the run is created with, MLflow's own among them."""
        tags = {"gdexp.kind": self.kind, "gdexp.version": __version__, **self.tags}
        if self.parent is not None:
            tags["mlflow.parentRunId"] = self.parent
        source = source_state()
        tags["gdexp.source.digest"] = source["digest"]
        if "commit" in source:
            tags["mlflow.source.git.commit"] = source["commit"]
            tags["gdexp.source.dirty"] = str(source["dirty"]).lower()
        return tags


@dataclass
class Pending:
    """A run that was decided on and is not written yet.

    Attributes:
        run_id: it will have, or has.
        opening: what it is created with.
        started: milliseconds since 1970; every point of its metrics carries this time.
        shown: it is in the store, RUNNING.
    """

    run_id: str
    opening: Opening
    started: int
    shown: bool = False


@dataclass(frozen=True)
class Record:
    """Everything of a finished run.

    Attributes:
        params: the resolved config, keys with dots.
        metrics: single numbers.
        trace: the loss at steps 0 … iterations; empty for a sweep's parent.
        tags: beyond those of the opening.
        artifacts: file name to content; the manifest is added by `sealed`.
        levels: losses whose crossings stay in the metric history when the trace is thinned.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    trace: Trace = field(default_factory=lambda: np.empty(0))
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    levels: Sequence[float] = ()

    def sealed(self) -> dict[str, bytes]:
        """The artifacts with `manifest.json`, the sha256 of each of the others."""
        return {**self.artifacts, MANIFEST: manifest(self.artifacts)}


def descent_record(
    experiment: Experiment,
    result: Result,
    pictures: Mapping[str, bytes] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Record:
    """The record of one descent.

    Args:
        experiment: what was run.
        result: what came of it.
        pictures: further artifacts by file name.
        tags: further tags.
    """
    artifacts = {
        "initial.npy": encode_array(result.initial),
        "final.npy": encode_array(result.final),
        "trace.npy": encode_array(result.trace),
        "config.yaml": config_yaml(experiment.config),
        **(pictures or {}),
    }
    if ENVIRONMENT not in artifacts:
        artifacts[ENVIRONMENT] = json_bytes(environment())
    parts = experiment.problem.parts()
    if parts:
        index = [{"name": p.name, "shape": p.shape, "offset": p.offset} for p in parts]
        artifacts["final_index.json"] = json_bytes(index)
    return Record(
        params=params(experiment.config),
        metrics={
            "iterations": result.iterations,
            "hitting_time": result.hitting_time,
            "final_loss": result.final_loss,
            "min_loss": result.min_loss,
            "max_loss": result.max_loss,
            "seconds": result.seconds,
        },
        trace=result.trace,
        tags={
            "gdexp.status": str(result.status),
            "gdexp.signature": experiment.signature,
            **(tags or {}),
        },
        artifacts=artifacts,
        levels=levels(experiment),
    )


def params(composed: Mapping[str, Any]) -> dict[str, str]:
    """A config as MLflow params; a value too long for MLflow is cut and whole in config.yaml."""
    flat = {key: _text(value) for key, value in config.flatten(composed).items()}
    return {k: v if len(v) <= MAX_PARAM else v[: MAX_PARAM - 1] + "…" for k, v in flat.items()}


def json_bytes(value: object) -> bytes:
    """Indented JSON with a last newline."""
    return (json.dumps(value, indent=2, default=str) + "\n").encode()


def manifest(artifacts: Mapping[str, bytes]) -> bytes:
    """File name to sha256, in hex, of every artifact."""
    return json_bytes(
        {name: hashlib.sha256(content).hexdigest() for name, content in sorted(artifacts.items())}
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def levels(experiment: Experiment) -> list[float]:
    """The losses at which the thresholds are met that people compare runs by, and its own."""
    wanted = {experiment.stopping.threshold, *THRESHOLDS}
    return [experiment.problem.reference + threshold for threshold in sorted(wanted)]
