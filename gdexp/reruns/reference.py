"""A recorded descent to compare with, read as data from elsewhere and checked by its manifest."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml  # type: ignore[import-untyped]

from gdexp import config
from gdexp.core import GdexpError
from gdexp.descent import Status
from gdexp.experiment import ALONE, BATCH, DIFF, ENVIRONMENT, PROBLEM_SOURCE
from gdexp.reruns.verdict import DIFFERS, NOTHING, Level
from gdexp.runs import MAX_CONFIG, TrackedRun, Unreadable, parse_config
from gdexp.tracking import MANIFEST, Array, check_trace, decode_array

NEEDED = ("config.yaml", ENVIRONMENT, "initial.npy", "final.npy", "trace.npy")
"""The files without which there is nothing to rerun or to compare."""

RECORD = (*NEEDED, "final_index.json", DIFF, PROBLEM_SOURCE)
"""The files of a run that are its record; the others are pictures."""

MOST_BYTES = 1 << 30
MOST_JSON = 1 << 20
MOST_OF = {
    "config.yaml": MAX_CONFIG,
    **dict.fromkeys((ENVIRONMENT, "final_index.json", DIFF, PROBLEM_SOURCE), MOST_JSON),
}
"""Bytes of a file that are read at most, where that is not `MOST_BYTES`."""

MOST_SHOWN = 80
"""Characters of a stored text that are quoted."""

MOST_FILES = 1_000
MOST_THREADS = 1_024

_PART = re.compile(r"(?!\.+$)[A-Za-z0-9 _.+~%@=,-]{1,200}")

Read = Callable[[str, int], bytes]
"""`read(name, most)`: a file's bytes; raises `Unreadable`."""


class NoReference(GdexpError):
    """There is nothing that a rerun could be compared with."""

    exit_status = NOTHING
    level = Level.NO_REFERENCE


class Damaged(GdexpError):
    """A recorded run is not what its own manifest says."""

    exit_status = DIFFERS
    level = Level.DAMAGED


@dataclass(frozen=True, eq=False)
class Reference:
    """One recorded descent.

    Attributes:
        run_id: MLflow's id of the run, also where a folder of it was read.
        shown: what it is called in front of a person.
        named: what a person types after `+rerun=` to name it.
        status: why it ended, one of `Status`.
        files: its record, every file as its manifest says.
        tags: of the run, as far as they are known.
        metrics: of the run, as far as they are known.
        params: of the run, as far as they are known.
    """

    run_id: str
    shown: str
    named: str
    status: str
    files: Mapping[str, bytes]
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was run; plain containers, nothing in them checked."""
        return parse_config(self.files["config.yaml"])

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Where it was run; any part may be missing or odd."""
        found = json.loads(self.files[ENVIRONMENT])
        return found if isinstance(found, dict) else {}

    @cached_property
    def initial(self) -> Array:
        """The point at iteration 0, as it is stored."""
        return decode_array(self.files["initial.npy"])

    @cached_property
    def final(self) -> Array:
        """The point at the last iteration, as it is stored."""
        return decode_array(self.files["final.npy"])

    @cached_property
    def trace(self) -> Array:
        """The loss at iterations 0 … n; float64, shape (n + 1,)."""
        return check_trace(decode_array(self.files["trace.npy"]))

    @property
    def engine(self) -> str:
        """`ALONE` or `BATCH`; alone where the record does not say."""
        return BATCH if self.environment.get("engine") == BATCH else ALONE

    @property
    def threads(self) -> int | None:
        """The thread count that it was made with, where the record says one that can be set."""
        torch = self.environment.get("torch")
        threads = torch.get("threads") if isinstance(torch, dict) else None
        if not isinstance(threads, int) or isinstance(threads, bool):
            return None
        return threads if 1 <= threads <= MOST_THREADS else None

    def command(self, named: str | None = None) -> str:
        """The command that makes it again, with the trust that it needs.

        Args:
            named: what stands after `+rerun=` instead of `named`.
        """
        words = ["python -m gdexp", shlex.quote(f"+rerun={named or self.named}")]
        problem = self.config.get("problem")
        path = problem.get("path") if isinstance(problem, dict) else None
        if isinstance(path, str):
            words.append(shlex.quote(f"trust=[{path}]"))
        return " ".join(words)

    def text(self, name: str) -> str:
        """A stored text; empty where there is none."""
        return self.files.get(name, b"").decode(errors="replace")

    def doubts(self) -> list[str]:
        """Where the record contradicts itself, so that its manifest must have been made anew."""
        found = []
        signature = self.tags.get("gdexp.signature")
        if signature and signature != config.signature(self.config):
            found.append("its config.yaml is not the one that its tag gdexp.signature was made of")
        found += self._other_params()
        counted = self.metrics.get("iterations")
        if counted is not None and counted != len(self.trace) - 1:
            known = abs(counted) < 1e15  # false for what is no number
            found.append(
                f"its trace.npy holds {len(self.trace) - 1:,} iterations, its metric iterations "
                f"says {f'{counted:,.10g}' if known else 'something else'}"
            )
        return found

    def _other_params(self) -> list[str]:
        from gdexp.tracking import params

        stored = params(self.config)
        return [
            f"its config.yaml says {key}={_cut(stored[key])}, its params say {_cut(value)}"
            for key, value in sorted(self.params.items())
            if key in stored and stored[key] != value
        ]


def of_run(run: TrackedRun) -> Reference:
    """The record of a tracked descent, every file checked.

    Raises:
        NoReference: it did not get to its end, or holds no descent.
        Damaged: a file is missing or is not what the manifest says.
    """
    shown = f"run {run.short}"
    if run.state in ("RUNNING", "SCHEDULED"):
        raise NoReference(f"{shown}: is still running; there is nothing to compare a rerun with")
    if run.state != "FINISHED":
        raise NoReference(f"{shown}: ended {run.state}; there is nothing to compare a rerun with")
    try:
        params = dict(run.params)
    except Unreadable as error:  # of a row in a shard
        raise Damaged(f"{shown}: damaged reference: {error}") from None
    known: dict[str, Mapping[str, Any]] = {
        "tags": dict(run.tags),
        "metrics": dict(run.metrics),
        "params": params,
    }
    return read_reference(run.content, run.run_id, (shown, run.run_id), run.status, known)


def read_reference(
    read: Read,
    run_id: str,
    names: tuple[str, str],
    status: str,
    known: Mapping[str, Mapping[str, Any]],
) -> Reference:
    """A record from wherever it is kept, every file checked.

    Args:
        read: gives its files.
        run_id: MLflow's id of the run.
        names: what it is called in front of a person, and what a person types to name it.
        status: why it ended, as its tag says.
        known: its `tags`, `metrics` and `params`.

    Raises:
        NoReference: it holds no descent.
        Damaged: a file is missing or is not what the manifest says.
    """
    recorded, (shown, named) = status in set(Status), names
    try:
        manifest = _manifest(read(MANIFEST, MOST_JSON))
    except Unreadable as error:
        if not recorded:
            raise NoReference(
                f"{shown}: holds no descent of gdexp; there is nothing to compare a rerun with"
            ) from None
        raise Damaged(f"{shown}: {error}, so nothing proves that its files are as made") from None
    except ValueError as error:
        raise Damaged(f"{shown}: its {MANIFEST} {error}") from None
    if "trace.npy" not in manifest and not recorded:
        raise NoReference(f"{shown}: holds no descent; there is nothing to compare a rerun with")
    missing = [name for name in NEEDED if name not in manifest]
    if missing == list(NEEDED[2:]):  # a trial of several seeds: their runs hold the descents
        raise NoReference(f"{shown}: holds no descent itself; name one of its seeds' runs")
    if missing:
        raise Damaged(f"{shown}: its {MANIFEST} does not list {missing[0]}")
    files = _checked(read, manifest, shown)
    if not recorded:
        raise Damaged(f"{shown}: says of no status why it ended")
    reference = Reference(run_id, shown, named, status, files, **known)
    for name in ("config", "environment", "initial", "final", "trace"):
        try:
            getattr(reference, name)
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            file = {"config": "config.yaml", "environment": ENVIRONMENT}.get(name, f"{name}.npy")
            reason = " ".join(str(error).split())[:160]
            raise Damaged(f"{shown}: its {file} cannot be used: {reason}") from None
    return reference


def _manifest(content: bytes) -> dict[str, str]:
    """File name to sha256.

    Raises:
        ValueError: it is something else, or names a file that is not below the run's own.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(found, dict) or len(found) > MOST_FILES:
        raise ValueError("is no mapping of file names to sha256")
    for name, digest in found.items():
        if not all(_PART.fullmatch(part) for part in name.split("/")):
            shown = "".join(c if c.isprintable() else "?" for c in name[:80])
            raise ValueError(f"names a file outside the run: {shown}")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"holds no sha256 of {name[:80]}")
    return found


def _checked(read: Read, manifest: Mapping[str, str], shown: str) -> dict[str, bytes]:
    """The files of the record, after every file of the manifest was found as it says.

    Raises:
        Damaged: names each that is missing or other.
    """
    files: dict[str, bytes] = {}
    wrong = []
    for name, digest in manifest.items():
        try:
            content = read(name, MOST_OF.get(name, MOST_BYTES))
        except Unreadable as error:
            wrong.append(str(error))
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"{name} is not the file of its sha256")
        elif name in RECORD:
            files[name] = content
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Damaged(f"{shown}: damaged reference: {', '.join(wrong[:3])}{more}")
    return files


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
