"""Read the record of a descent as a `Reference`, and check every file against the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import yaml  # type: ignore[import-untyped]

from gdexp.core import printable_line
from gdexp.descent import Status
from gdexp.engine import StoredPlan
from gdexp.experiment import (
    DIFF,
    ENVIRONMENT,
    EVALUATIONS_FILE,
    NORMS_FILE,
    PROBLEM_SOURCE,
    PROGRAM,
    USER_SOURCES,
    program_digest,
)
from gdexp.reruns.reference import (
    DamagedReference,
    NoReference,
    Reference,
    is_metric_trace,
)
from gdexp.runs import (
    MOST_JSON,
    TrackedRun,
    UnreadableRun,
    parse_manifest,
    program_bytes,
    size_limit,
)
from gdexp.tracking import MANIFEST, program_name
from gdexp.training import TENSORS

REQUIRED_FILES = ("config.yaml", ENVIRONMENT, "initial.npy", "final.npy", "trace.npy")
"""The files that a rerun needs; of a training the digests of its weights are enough."""

WEIGHTS = ("initial.npy", "final.npy")

FILES_OF = {"config": "config.yaml", "environment": ENVIRONMENT, "training": TENSORS}
"""The files of a reference's parts, but for its arrays."""

TEXTS = ("final_index.json", DIFF, PROBLEM_SOURCE, USER_SOURCES)

RECORD_FILES = (*REQUIRED_FILES, EVALUATIONS_FILE, NORMS_FILE, *TEXTS, PROGRAM, TENSORS)
"""The files that are the record of a run; the others are pictures."""

Read = Callable[[str, int], bytes]
"""`read(name, most)` returns the bytes of a file, or raises `UnreadableRun`."""


def reference_of_run(run: TrackedRun) -> Reference:
    """Read the record of a tracked descent and check every file.

    Raises:
        NoReference: the run is not finished, or holds no descent.
        DamagedReference: a file is missing or does not have the sha256 of the manifest.
    """
    shown = f"run {run.short}"
    if run.state in ("RUNNING", "SCHEDULED"):
        raise NoReference(f"{shown}: is still running; there is nothing to compare a rerun with")
    if run.state != "FINISHED":
        raise NoReference(f"{shown}: ended {run.state}; there is nothing to compare a rerun with")
    try:
        params = dict(run.params)
    except UnreadableRun as error:  # the run is a row of a shard
        raise DamagedReference(f"{shown}: damaged reference: {error}") from None
    known: dict[str, Mapping[str, Any]] = {
        "tags": dict(run.tags),
        "metrics": dict(run.metrics),
        "params": params,
    }
    names = shown, run.run_id
    reference = read_reference(run.file_bytes, run.run_id, names, run.status, known)
    return _with_program(reference, run)


def _with_program(reference: Reference, run: TrackedRun) -> Reference:
    """Add the program that a trial's record names, which stands in the run above it."""
    sha256 = program_digest(reference.environment)
    if sha256 is None or PROGRAM in reference.files:
        return reference
    try:
        packed = program_bytes(run, sha256)
        StoredPlan.unpack(packed, sha256)
    except UnreadableRun as error:
        return replace(reference, program_reason=str(error))
    except ValueError as error:
        reason = f"{program_name(sha256)} {printable_line(str(error))}"
        return replace(reference, program_reason=reason)
    return replace(reference, files={**reference.files, PROGRAM: packed})


def read_reference(
    read: Read,
    run_id: str,
    names: tuple[str, str],
    status: str,
    known: Mapping[str, Mapping[str, Any]],
) -> Reference:
    """Read a record by a function that reads its files, and check every file.

    Args:
        read: reads a file of the record.
        run_id: MLflow's id of the run.
        names: its name in messages, and what a user types to select it.
        status: why it ended, by its tag.
        known: its `tags`, `metrics` and `params`.

    Raises:
        NoReference: it holds no descent.
        DamagedReference: a file is missing or does not have the sha256 of the manifest.
    """
    recorded, (shown, argument) = status in set(Status), names
    try:
        manifest = parse_manifest(read(MANIFEST, MOST_JSON))
    except UnreadableRun as error:
        if not recorded:
            raise NoReference(
                f"{shown}: holds no descent of gdexp; there is nothing to compare a rerun with"
            ) from None
        raise DamagedReference(f"{shown}: {error}, so its files cannot be checked") from None
    except ValueError as error:
        raise DamagedReference(f"{shown}: its {MANIFEST} {error}") from None
    if "trace.npy" not in manifest and not recorded:
        raise NoReference(f"{shown}: holds no descent; there is nothing to compare a rerun with")
    optional = WEIGHTS if TENSORS in manifest else ()
    missing = [name for name in REQUIRED_FILES if name not in manifest and name not in optional]
    if missing == list(REQUIRED_FILES[2:]):  # a trial of several seeds has no descent itself
        raise NoReference(f"{shown}: holds no descent itself; name one of its seeds' runs")
    if missing:
        raise DamagedReference(f"{shown}: its {MANIFEST} does not list {missing[0]}")
    files = _read_checked(read, manifest, shown)
    if not recorded:
        raise DamagedReference(f"{shown}: its status does not say why the descent ended")
    groups = known["tags"], known["metrics"], known["params"]
    reference = Reference(run_id, shown, argument, status, files, *groups)
    for name in ("config", "environment", "initial", "final", "trace", "training"):
        try:
            getattr(reference, name)
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            file = FILES_OF.get(name, f"{name}.npy")
            reason = " ".join(str(error).split())[:160]
            raise DamagedReference(f"{shown}: its {file} cannot be used: {reason}") from None
    return reference


def _read_checked(read: Read, manifest: Mapping[str, str], shown: str) -> dict[str, bytes]:
    """Read every file of the manifest, check its sha256, and return the files of the record.

    Raises:
        DamagedReference: names the files that are missing or different.
    """
    files: dict[str, bytes] = {}
    wrong = []
    for name, digest in manifest.items():
        try:
            content = read(name, size_limit(name))
        except UnreadableRun as error:
            wrong.append(str(error))
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"{name} is not the file of its sha256")
        elif name in RECORD_FILES or is_metric_trace(name):
            files[name] = content
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DamagedReference(f"{shown}: damaged reference: {', '.join(wrong[:3])}{more}")
    return files
