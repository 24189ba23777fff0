"""One folder of a run that is all a rerun needs: written by `+export`, read by `+rerun=FOLDER`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdexp.config import shortest_command
from gdexp.core import BadInput, StorageFailed
from gdexp.experiment import DIFF, PROBLEM_SOURCE
from gdexp.reruns.reference import MOST_JSON, Damaged, Reference, read_reference
from gdexp.reruns.verdict import iterations
from gdexp.runs import Unreadable, check_stored
from gdexp.tracking import MANIFEST, code_block, escape_markdown, manifest
from gdexp.version import __version__

RUN, README = "run.json", "README.md"
FORMAT = 1
KEPT_TAGS = ("gdexp.status", "gdexp.signature", "gdexp.version", "gdexp.kind", "gdexp.trial")


TRIAL = re.compile(r"[0-9a-f]{4,32}/[0-9]+(/[0-9]+)?")
"""A trial by its sweep's run id and its number, and one of its seeds."""


def is_folder(named: str, here: Path) -> bool:
    """Whether what a person named is a folder and not a run's id."""
    if (here / named).is_dir():
        return True
    if TRIAL.fullmatch(named):
        return False
    return "/" in named or "\\" in named or named.startswith((".", "~"))


def folder_files(reference: Reference) -> dict[str, bytes]:
    """The files of a folder: the record byte for byte, what MLflow knew of the run, how to use it.

    Raises:
        BadInput: the record's config is not one that gdexp writes.
    """
    check_stored(reference.config)
    run = {
        "format": FORMAT,
        "gdexp": __version__,
        "run_id": reference.run_id,
        "status": reference.status,
        "tags": {key: reference.tags[key] for key in KEPT_TAGS if key in reference.tags},
        "metrics": dict(reference.metrics),
        "params": dict(reference.params),
    }
    files = dict(reference.files)
    files[RUN] = (json.dumps(run, indent=2) + "\n").encode()
    files[README] = _readme(reference).encode()
    return {**files, MANIFEST: manifest(files)}


def write_folder(place: Path, files: Mapping[str, bytes], shown: str) -> None:
    """Write a folder that is not there yet, or is empty.

    Raises:
        BadInput: there is something already.
        StorageFailed: it cannot be written.
    """
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise BadInput("export.folder", shown, "is there already and not empty; name another")
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)
    except OSError as error:
        raise StorageFailed(f"{shown}: cannot be written ({error.strerror})") from None


def read_folder(place: Path, shown: str) -> Reference:
    """The record in a folder, every file checked.

    Raises:
        BadInput: there is no such folder.
        NoReference: it is no export.
        Damaged: a file is missing or is not what the manifest says.
    """
    if not place.is_dir():
        raise BadInput("+rerun", shown, "no such folder; python -m gdexp +export=RUN_ID writes one")

    root = place.resolve()

    def read(name: str, most: int) -> bytes:
        path = place / name
        try:
            if path.is_symlink() or path.resolve().parent != root:
                raise Unreadable(f"its {name} is a link")
            if path.stat().st_size > most:
                raise Unreadable(f"its {name} is larger than {most:,} bytes")
            return path.read_bytes()
        except OSError:
            raise Unreadable(f"holds no {name}") from None

    try:
        run = _described(read(RUN, MOST_JSON))
    except (Unreadable, ValueError, RecursionError):
        if not (place / MANIFEST).is_file():
            raise BadInput("+rerun", shown, f"holds no run of gdexp: no {MANIFEST}") from None
        raise Damaged(f"{shown}: damaged reference: {RUN} is missing or cannot be read") from None
    known = {key: run[key] for key in ("tags", "metrics", "params")}
    return read_reference(read, run["run_id"], (shown, shown), run["status"], known)


def _described(content: bytes) -> dict[str, Any]:
    """What `run.json` says, every part of the type that it must have.

    Raises:
        ValueError: it says something else.
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


def _readme(reference: Reference) -> str:
    """What the folder is and how to use it, in Markdown."""
    path = reference.config["problem"].get("path")
    version = escape_markdown(reference.tags.get("gdexp.version", ""))
    lines = [
        f"# Run {reference.run_id} of gdexp {version}",
        "",
        f"A descent that ended {reference.status} after {iterations(len(reference.trace) - 1)}.",
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
            f"The module as it was stands in `{PROBLEM_SOURCE}`; read it before you trust it.",
            "",
        ]
    lines += [
        "The same descent from the configuration alone, with this machine's own settings:",
        "",
        code_block(shortest_command(reference.config)),
        "",
        "| file | holds |",
        "|---|---|",
        "| `config.yaml` | the resolved configuration |",
        "| `initial.npy`, `final.npy` | x at the first and at the last iteration |",
        "| `trace.npy` | the loss at iterations 0, 1, … |",
        "| `environment.json` | versions, processor, threads, source state |",
        "| `run.json` | what MLflow knew of the run |",
        "| `manifest.json` | the sha256 of every other file |",
    ]
    if DIFF in reference.files:
        lines.append(f"| `{DIFF}` | how gdexp's source differed from its commit |")
    sums = hashlib.sha256(reference.files["final.npy"]).hexdigest()
    lines += ["", f"sha256 of `final.npy`: {sums}", ""]
    return "\n".join(lines)
