"""Records of descents without a store: what the tests of reruns are made of."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gdexp import config
from gdexp.descent.batch_of_descents import descend_batch
from gdexp.descent.result import Result
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.experiment.provenance import ALONE, provenance_files
from gdexp.reruns.export_folder import folder_files, write_folder
from gdexp.reruns.reference import Reference
from gdexp.reruns.reference_reader import RECORD_FILES
from gdexp.tracking.record import MANIFEST, descent_record, manifest

CONFIG: config.Config = {
    "problem": {"name": "matrix", "target": None, "x0": None},
    "optimizer": {"name": "gd", "lr": 1.0, "schedule": {"name": "constant"}},
    "stopping": {"threshold": 1e-5, "max_iterations": 1000, "cap": None},
    "seed": 0,
    "dtype": "float32",
    "device": "cpu",
}


def experiment(**values: object) -> Experiment:
    """The notebook's descent with other values; `a__b` stands for the key `a.b`."""
    given = {key.replace("__", "."): value for key, value in values.items()}
    engine = {"engine": "torch"} if "engine" in given else {}
    composed = config.with_values({**CONFIG, **engine}, given)
    return Experiment.from_config(composed, trusted_paths(composed))


def reference(made: Experiment, result: Result | None = None, engine: str = "") -> Reference:
    """The record of a descent, as a store would hold it."""
    result = made.run() if result is None else result
    files = provenance_files(made.config, engine or ALONE, program=result.program)
    record = descent_record(made, result, files)
    return Reference(
        run_id=uuid.uuid4().hex,
        shown="run",
        argument="RUN_ID",
        status=str(result.status),
        files={name: content for name, content in record.artifacts.items() if name in RECORD_FILES},
        tags=dict(record.tags),
        metrics=dict(record.metrics),
        params=dict(record.params),
    )


def batch(made: list[Experiment]) -> list[Result]:
    """Experiments of one problem and rule as the rows of one batch."""
    first = made[0]
    return list(
        descend_batch(
            first.problem,
            [each.rule for each in made],
            [each.stopping for each in made],
            seeds=[each.seed for each in made],
            dtype=first.dtype,
            engine=first.engine,
        )
    )


def folder(place: Path, recorded: Reference) -> Path:
    """The record as a folder that `+rerun` takes."""
    write_folder(place, folder_files(recorded), place.name)
    return place


def tampered(place: Path, changes: Mapping[str, bytes | None], seal: bool = False) -> Path:
    """A folder with other files, None taking one away.

    Args:
        place: the folder.
        changes: file name to content.
        seal: whether the manifest is made anew, so that it hides the change.
    """
    for name, content in changes.items():
        if content is None:
            (place / name).unlink()
        else:
            (place / name).write_bytes(content)
    if seal:
        names = [path.name for path in place.iterdir() if path.name != MANIFEST]
        sealed = manifest({name: (place / name).read_bytes() for name in names})
        (place / MANIFEST).write_bytes(sealed)
    return place


def other(recorded: Reference, **fields: Any) -> Reference:
    """The same record with other fields; `files` are put over its own."""
    files = fields.pop("files", {})
    return replace(recorded, files={**recorded.files, **files}, **fields)
