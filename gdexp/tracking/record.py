"""The record of one run for MLflow, as plain names and values; MLflow itself is not imported.

`initial.npy`, `final.npy` and `trace.npy` are the exact record; metric history is for charts.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gdexp import config
from gdexp.core import indented_json, json_text
from gdexp.descent import LOSS, THRESHOLDS, Result, Stopping, Trace
from gdexp.experiment import ENVIRONMENT, Experiment, environment, source_state
from gdexp.problems import ABSOLUTE
from gdexp.tracking.arrays import encode_array
from gdexp.tracking.config_yaml import config_yaml
from gdexp.tracking.files import Content, Files
from gdexp.version import __version__

MAX_PARAM = 6000
"""Most characters that MLflow takes as the value of a param."""

MANIFEST = "manifest.json"

LARGE = 1 << 20
"""Bytes of an array from which its file is made only when it is written."""

CONFIRMATION = "confirmation"
"""The kind of a descent of a finished trial from a further seed, under the sweep's run."""

RACE = "race"
"""The kind of such a descent that a race made."""

HELD_OUT = "held_out"
"""The kind of a descent of a sweep's winner on a held-out problem."""

FURTHER_KINDS = (CONFIRMATION, RACE, HELD_OUT)
"""The kinds of the descents of finished trials: they are no trials."""

F_STAR_TAG = "gdexp.f_star"
"""The tag of a descent whose threshold is of the loss itself: `absolute`."""

NOT_RERUNNABLE_TAG = "gdexp.not_rerunnable"
"""The tag of a run whose problem or rule was an object of a Python session; says what to do."""

ENGINE_REASON_TAG = "gdexp.engine_reason"
"""The tag of a descent on torch that says why `engine=auto` took it."""


@dataclass(frozen=True)
class RunHeader:
    """The name, kind, parent and tags of a run, known before its descent.

    Attributes:
        name: the name in MLflow's lists.
        kind: run, sweep, trial, seed or rerun.
        parent: the id of the parent run, such as a trial's sweep.
        tags: further tags.
    """

    name: str
    kind: str
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def all_tags(self) -> dict[str, str]:
        """Return all tags that the run is created with, MLflow's own included."""
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
class PlannedRun:
    """A run with an id, perhaps not written yet.

    Attributes:
        run_id: the id that it has or will have.
        header: its name, kind, parent and tags.
        started: milliseconds since 1970; all points of its metrics have this time.
        shown: whether the run is in the store.
    """

    run_id: str
    header: RunHeader
    started: int
    shown: bool = False


@dataclass(frozen=True)
class Record:
    """Everything that is recorded of a finished run.

    Attributes:
        params: the resolved config by keys with dots.
        metrics: single numbers.
        trace: the loss at steps 0 … iterations; empty for a sweep's parent.
        tags: further tags beside those of the header.
        artifacts: file name to content; `sealed` adds the manifest.
        levels: losses whose crossings a shortened metric history keeps.
        curves: further metrics, each with updates and values, of shape (readings, 2).
    """

    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    trace: Trace = field(default_factory=lambda: np.empty(0))
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    levels: Sequence[float] = ()
    curves: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)

    def without(self, names: Collection[str]) -> Record:
        """Return the record without some of its artifacts."""
        files = self.artifacts if isinstance(self.artifacts, Files) else Files(self.artifacts)
        return replace(self, artifacts=files.without(names))

    def sealed(self) -> Files:
        """Return the artifacts and `manifest.json`, which holds the sha256 of each."""
        files = self.artifacts if isinstance(self.artifacts, Files) else Files(self.artifacts)
        return files.added({MANIFEST: manifest(files)})


def descent_record(
    experiment: Experiment,
    result: Result,
    pictures: Mapping[str, bytes] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Record:
    """Return the record of one descent.

    Args:
        experiment: what was run.
        result: its result.
        pictures: further artifacts by file name.
        tags: further tags.
    """
    found, reason = experiment.recorded(result), experiment.engine_reason
    alone = config.why_not_rerunnable(experiment.config)
    artifacts: dict[str, Content] = {
        **{name: _encoded(each) for name, each in found.arrays.items()},
        "config.yaml": config_yaml(experiment.config),
        **(pictures or {}),
    }
    if ENVIRONMENT not in artifacts:
        artifacts[ENVIRONMENT] = json_bytes(environment())
    artifacts |= {name: json_bytes(each) for name, each in found.texts.items()}
    artifacts |= found.blobs
    return Record(
        params=params(experiment.config),
        metrics=found.metrics,
        trace=result.trace,
        curves=found.curves,
        tags={
            "gdexp.status": str(result.status),
            "gdexp.signature": experiment.signature,
            "gdexp.engine": result.engine,
            **({} if reason is None else {ENGINE_REASON_TAG: reason}),
            **({} if alone is None else {NOT_RERUNNABLE_TAG: alone}),
            **({F_STAR_TAG: ABSOLUTE} if _is_absolute(experiment.stopping) else {}),
            **(tags or {}),
        },
        artifacts=Files(artifacts),
        levels=loss_levels(experiment),
    )


def _encoded(array: torch.Tensor | npt.NDArray[Any]) -> Content:
    """Return the bytes of an array's file; of a large one what makes them."""
    size = array.nbytes
    return encode_array(array) if size < LARGE else partial(encode_array, array)


def _is_absolute(stopping: Stopping) -> bool:
    """Return whether the threshold is of the loss itself, not of its distance from f*."""
    return stopping.absolute and stopping.metric == LOSS


def params(composed: Mapping[str, Any]) -> dict[str, str]:
    """Return a config as MLflow params; too long values are cut here and whole in config.yaml."""
    flat = {key: _text(value) for key, value in config.flatten(composed).items()}
    return {k: v if len(v) <= MAX_PARAM else v[: MAX_PARAM - 1] + "…" for k, v in flat.items()}


def json_bytes(value: object) -> bytes:
    """Return indented JSON with a final newline."""
    return f"{indented_json(value)}\n".encode()


def manifest(artifacts: Mapping[str, bytes]) -> bytes:
    """Return JSON with the sha256, in hex, of every artifact by file name."""
    return json_bytes(
        {name: hashlib.sha256(content).hexdigest() for name, content in sorted(artifacts.items())}
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json_text(value)


def loss_levels(experiment: Experiment) -> list[float]:
    """Return the losses that meet the usual thresholds and the experiment's own."""
    stopping = experiment.stopping
    own = [] if stopping.of_norm else [stopping.threshold, stopping.goal]
    wanted = {*own, *THRESHOLDS}
    levels = sorted(each for each in wanted if math.isfinite(each))
    return [experiment.problem.reference + threshold for threshold in levels]
