"""The reference of a rerun: a recorded descent, read as untrusted data."""

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
from gdexp.core import GdexpError, printable_line
from gdexp.descent import Status
from gdexp.experiment import ALONE, BATCH, DIFF, ENVIRONMENT, PROBLEM_SOURCE
from gdexp.reruns.verdict import EXIT_DIFFERENT, EXIT_NO_REFERENCE, Level
from gdexp.runs import MAX_CONFIG, TrackedRun, UnreadableRun, parse_config
from gdexp.tracking import MANIFEST, Array, check_trace, decode_array

REQUIRED_FILES = ("config.yaml", ENVIRONMENT, "initial.npy", "final.npy", "trace.npy")
"""The files that a rerun needs."""

RECORD_FILES = (*REQUIRED_FILES, "final_index.json", DIFF, PROBLEM_SOURCE)
"""The files that are the record of a run; the others are pictures."""

MOST_BYTES = 1 << 30
MOST_JSON = 1 << 20
SIZE_LIMITS = {
    "config.yaml": MAX_CONFIG,
    **dict.fromkeys((ENVIRONMENT, "final_index.json", DIFF, PROBLEM_SOURCE), MOST_JSON),
}
"""The largest size in bytes of a file that has a limit other than `MOST_BYTES`."""

MOST_SHOWN = 80
"""The most characters of a stored text that a message quotes."""

MOST_FILES = 1_000
MOST_THREADS = 1_024

_PART = re.compile(r"(?!\.+$)[A-Za-z0-9 _.+~%@=,-]{1,200}")

Read = Callable[[str, int], bytes]
"""`read(name, most)` returns the bytes of a file, or raises `UnreadableRun`."""


class NoReference(GdexpError):
    """A run has no recorded descent that a rerun could be compared with."""

    exit_status = EXIT_NO_REFERENCE
    level = Level.NO_REFERENCE


class DamagedReference(GdexpError):
    """The files of a recorded run do not agree with its manifest."""

    exit_status = EXIT_DIFFERENT
    level = Level.DAMAGED


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
    """

    run_id: str
    shown: str
    argument: str
    status: str
    files: Mapping[str, bytes]
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

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
    def initial(self) -> Array:
        """The point at iteration 0, in the dtype in which it is stored."""
        return decode_array(self.files["initial.npy"])

    @cached_property
    def final(self) -> Array:
        """The point at the last iteration, in the dtype in which it is stored."""
        return decode_array(self.files["final.npy"])

    @cached_property
    def trace(self) -> Array:
        """The loss at iterations 0 … n; float64, shape (n + 1,)."""
        return check_trace(decode_array(self.files["trace.npy"]))

    @property
    def engine(self) -> str:
        """`ALONE` or `BATCH`; alone if it is not recorded."""
        return BATCH if self.environment.get("engine") == BATCH else ALONE

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
        words = ["python -m gdexp", shlex.quote(f"+rerun={argument or self.argument}")]
        problem = self.config.get("problem")
        path = problem.get("path") if isinstance(problem, dict) else None
        if isinstance(path, str):
            words.append(shlex.quote(f"trust=[{path}]"))
        return " ".join(words)

    def text(self, name: str) -> str:
        """Return a stored text; empty if there is none."""
        return self.files.get(name, b"").decode(errors="replace")

    def contradictions(self) -> list[str]:
        """Return where the record contradicts itself, although its manifest agrees."""
        found = []
        signature = self.tags.get("gdexp.signature")
        if signature and signature != config.signature(self.config):
            found.append("its config.yaml is not the one that its tag gdexp.signature was made of")
        found += self._differing_params()
        counted = self.metrics.get("iterations")
        if counted is not None and counted != len(self.trace) - 1:
            known = abs(counted) < 1e15  # False for NaN
            found.append(
                f"its trace.npy holds {len(self.trace) - 1:,} iterations, its metric iterations "
                f"says {f'{counted:,.10g}' if known else 'something else'}"
            )
        return found

    def _differing_params(self) -> list[str]:
        from gdexp.tracking import params

        stored = params(self.config)
        return [
            f"its config.yaml says {key}={_cut(stored[key])}, its params say {_cut(value)}"
            for key, value in sorted(self.params.items())
            if key in stored and stored[key] != value
        ]


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
    return read_reference(run.file_bytes, run.run_id, (shown, run.run_id), run.status, known)


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
        manifest = _parse_manifest(read(MANIFEST, MOST_JSON))
    except UnreadableRun as error:
        if not recorded:
            raise NoReference(
                f"{shown}: holds no descent of gdexp; there is nothing to compare a rerun with"
            ) from None
        raise DamagedReference(
            f"{shown}: {error}, so nothing proves that its files are as made"
        ) from None
    except ValueError as error:
        raise DamagedReference(f"{shown}: its {MANIFEST} {error}") from None
    if "trace.npy" not in manifest and not recorded:
        raise NoReference(f"{shown}: holds no descent; there is nothing to compare a rerun with")
    missing = [name for name in REQUIRED_FILES if name not in manifest]
    if missing == list(
        REQUIRED_FILES[2:]
    ):  # a trial of several seeds: their runs hold the descents
        raise NoReference(f"{shown}: holds no descent itself; name one of its seeds' runs")
    if missing:
        raise DamagedReference(f"{shown}: its {MANIFEST} does not list {missing[0]}")
    files = _read_checked(read, manifest, shown)
    if not recorded:
        raise DamagedReference(f"{shown}: says of no status why it ended")
    reference = Reference(run_id, shown, argument, status, files, **known)
    for name in ("config", "environment", "initial", "final", "trace"):
        try:
            getattr(reference, name)
        except (ValueError, RecursionError, yaml.YAMLError) as error:
            file = {"config": "config.yaml", "environment": ENVIRONMENT}.get(name, f"{name}.npy")
            reason = " ".join(str(error).split())[:160]
            raise DamagedReference(f"{shown}: its {file} cannot be used: {reason}") from None
    return reference


def _parse_manifest(content: bytes) -> dict[str, str]:
    """Parse a manifest: file name to sha256.

    Raises:
        ValueError: it is malformed, or names a file outside the run's artifacts.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is no JSON") from None
    if not isinstance(found, dict) or len(found) > MOST_FILES:
        raise ValueError("is no mapping of file names to sha256")
    for name, digest in found.items():
        if not all(_PART.fullmatch(part) for part in name.split("/")):
            raise ValueError(f"names a file outside the run: {printable_line(name[:80])}")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"holds no sha256 of {name[:80]}")
    return found


def _read_checked(read: Read, manifest: Mapping[str, str], shown: str) -> dict[str, bytes]:
    """Read every file of the manifest, check its sha256, and return the files of the record.

    Raises:
        DamagedReference: names the files that are missing or different.
    """
    files: dict[str, bytes] = {}
    wrong = []
    for name, digest in manifest.items():
        try:
            content = read(name, SIZE_LIMITS.get(name, MOST_BYTES))
        except UnreadableRun as error:
            wrong.append(str(error))
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            wrong.append(f"{name} is not the file of its sha256")
        elif name in RECORD_FILES:
            files[name] = content
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DamagedReference(f"{shown}: damaged reference: {', '.join(wrong[:3])}{more}")
    return files


def _cut(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
