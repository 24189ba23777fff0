"""The export folder of a run: written by `+export`, read by `+rerun=FOLDER`."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gdexp.config import shortest_command
from gdexp.core import BadInput, StorageFailed, format_count, process_exists, read_regular
from gdexp.experiment import DIFF, NONDETERMINISTIC_TAG, NORMS_FILE, PROBLEM_SOURCE, PROGRAM
from gdexp.reruns.reference import DamagedReference, Reference
from gdexp.reruns.reference_reader import read_reference
from gdexp.runs import MOST_JSON, UnreadableRun, check_stored_config
from gdexp.tracking import MANIFEST, code_block, escape_markdown, json_bytes, manifest
from gdexp.version import __version__

RUN_FILE, README_FILE = "run.json", "README.md"
FORMAT = 1
UNFINISHED = ".unfinished"
"""The ending of a folder that is being written; before it stands the process."""

EXPORTED_TAGS = (
    *("gdexp.status", "gdexp.signature", "gdexp.version", "gdexp.kind", "gdexp.trial"),
    NONDETERMINISTIC_TAG,
)

TRIAL_ID = re.compile(r"[0-9a-f]{4,32}/[0-9]+(/[0-9]+)?")
"""A trial as `SWEEP/NUMBER`, or one of its seeds as `SWEEP/NUMBER/SEED`."""


def names_folder(argument: str, here: Path) -> bool:
    """Return whether the argument of a command names a folder and not a run."""
    if (here / argument).is_dir():
        return True
    if TRIAL_ID.fullmatch(argument):
        return False
    return "/" in argument or "\\" in argument or argument.startswith((".", "~"))


def folder_files(reference: Reference) -> dict[str, bytes]:
    """Return the files of an export: the record, MLflow's data of the run, a README, a manifest.

    Raises:
        BadInput: the config of the record is not one that gdexp writes.
    """
    check_stored_config(reference.config)
    run = {
        "format": FORMAT,
        "gdexp": __version__,
        "run_id": reference.run_id,
        "status": reference.status,
        "tags": {key: reference.tags[key] for key in EXPORTED_TAGS if key in reference.tags},
        "metrics": dict(reference.metrics),
        "params": dict(reference.params),
    }
    files = dict(reference.files)
    files[RUN_FILE] = json_bytes(run)
    files[README_FILE] = _readme(reference).encode()
    return {**files, MANIFEST: manifest(files)}


def check_free(place: Path, shown: str) -> None:
    """Refuse a folder that holds something.

    Args:
        place: the folder.
        shown: the folder as the user typed it.

    Raises:
        BadInput: the folder is not empty.
        StorageFailed: it cannot be read.
    """
    try:
        taken = place.exists() and (not place.is_dir() or any(place.iterdir()))
    except OSError as error:
        raise StorageFailed(f"{shown}: cannot be read ({error.strerror})") from None
    if taken:
        raise BadInput("export.folder", shown, "is there already and not empty; name another")


def write_folder(place: Path, files: Mapping[str, bytes], shown: str) -> None:
    """Write files to a folder that does not exist or is empty. It appears whole or not at all.

    Args:
        place: the folder.
        files: file name to content.
        shown: the folder as the user typed it.

    Raises:
        BadInput: the folder is not empty.
        StorageFailed: it cannot be written.
    """
    check_free(place, shown)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _unfinished(place) as folder:
            for name, content in files.items():
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(content)
            folder.replace(place)
    except OSError as error:
        raise StorageFailed(f"{shown}: cannot be written ({error.strerror})") from None


@contextmanager
def _unfinished(place: Path) -> Iterator[Path]:
    """Make a folder beside another one; remove it at the end, and those that a kill left."""
    for leftover in place.parent.glob(f".{glob.escape(place.name)}.*{UNFINISHED}"):
        process = leftover.name.removesuffix(UNFINISHED).rpartition(".")[2]
        if process.isdecimal() and not process_exists(int(process)):
            shutil.rmtree(leftover)
    folder = place.with_name(f".{place.name}.{os.getpid()}{UNFINISHED}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # it is gone where it was renamed


def read_folder(place: Path, shown: str) -> Reference:
    """Read the record in an export folder and check every file.

    Raises:
        BadInput: there is no such folder, or it is not an export.
        NoReference: it holds no descent.
        DamagedReference: a file is missing or does not have the sha256 of the manifest.
    """
    if not place.is_dir():
        raise BadInput("+rerun", shown, "no such folder; python -m gdexp +export=RUN_ID writes one")

    def read(name: str, most: int) -> bytes:
        path = place / name
        try:
            if path.is_symlink() or path.resolve() != place.resolve() / name:
                raise ValueError("is a link")
            return read_regular(path, most)
        except OSError:
            raise UnreadableRun(f"holds no {name}") from None
        except ValueError as error:
            raise UnreadableRun(f"its {name} {error}") from None

    try:
        run = _parse_run(read(RUN_FILE, MOST_JSON))
    except (UnreadableRun, ValueError, RecursionError):
        if not (place / MANIFEST).is_file():
            raise BadInput("+rerun", shown, f"holds no run of gdexp: no {MANIFEST}") from None
        raise DamagedReference(
            f"{shown}: damaged reference: {RUN_FILE} is missing or cannot be read"
        ) from None
    known = {key: run[key] for key in ("tags", "metrics", "params")}
    return read_reference(read, run["run_id"], (shown, shown), run["status"], known)


def _parse_run(content: bytes) -> dict[str, Any]:
    """Parse `run.json` and check the types of its parts.

    Raises:
        ValueError: a part is missing or has another type.
    """
    run = json.loads(content)
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        raise ValueError("unknown format")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}(/[0-9]+){0,2}", str(run.get("run_id"))):
        raise ValueError("no run id")
    if not isinstance(run.get("status"), str):
        raise ValueError("no status")
    for key, kind in (("tags", str), ("metrics", int | float), ("params", str)):
        group = run.get(key)
        if not isinstance(group, dict) or not all(isinstance(v, kind) for v in group.values()):
            raise ValueError(f"odd {key}")
    return run


_WEIGHTS = {
    False: ["| `initial.npy`, `final.npy` | x at the first and at the last iteration |"],
    True: [
        "| `initial.npy`, `final.npy` | the trained weights at the start and the end, if kept |",
        "| `training.json` | sha256 of each weight and buffer; updates, epochs, metrics |",
        "| `traces/*.npy` | each metric: updates and values |",
    ],
}
"""The lines about the weights in the README of a descent and of a training."""

_NORM_LINE = f"| `{NORMS_FILE}` | the norm of the gradient at iterations 0, 1, … |"


def _readme(reference: Reference) -> str:
    """Return the text of the README: what the folder is and how to use it."""
    path = reference.config["problem"].get("path")
    version = escape_markdown(reference.tags.get("gdexp.version", ""))
    length = format_count(reference.iterations, "iteration")
    lines = [
        f"# Run {reference.run_id} of gdexp {version}",
        "",
        f"A descent that ended {reference.status} after {length}.",
        "Replay it anywhere and compare it bit for bit, from the folder that holds this one:",
        "",
        f"    {reference.command('./FOLDER')}",
        "",
        "`./FOLDER` is this one.",
        "Exit status: 0 identical, 4 it differs (the output says where and what could be why).",
        "",
    ]
    if path is not None:
        lines += [
            f"Its problem is its author's own code, {escape_markdown(str(path))}, "
            "which must be importable.",
        ]
        if PROBLEM_SOURCE in reference.files:
            lines.append(
                f"The module as it was stands in `{PROBLEM_SOURCE}`; read it before you trust it."
            )
        lines.append("")
    lines += [
        "The same descent from the configuration alone, with this machine's own settings:",
        "",
        code_block(shortest_command(reference.config)),
        "",
        "| file | holds |",
        "|---|---|",
        "| `config.yaml` | the resolved configuration |",
        *_WEIGHTS[reference.training is not None],
        "| `trace.npy` | the loss at iterations 0, 1, … |",
        *([_NORM_LINE] if NORMS_FILE in reference.files else []),
        "| `environment.json` | versions, processor, threads, source state |",
        "| `run.json` | what MLflow knew of the run |",
        "| `manifest.json` | the sha256 of every other file |",
    ]
    if PROGRAM in reference.files:
        lines.append(f"| `{PROGRAM}` | what was computed: every operation and constant, as data |")
    if DIFF in reference.files:
        lines.append(f"| `{DIFF}` | how gdexp's source differed from its commit |")
    if "final.npy" in reference.files:
        sums = hashlib.sha256(reference.files["final.npy"]).hexdigest()
        lines += ["", f"sha256 of `final.npy`: {sums}"]
    lines.append("")
    return "\n".join(lines)
