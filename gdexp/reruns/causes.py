"""What differs between where a run was made and here, most likely cause of other bits first."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gdexp.experiment import NUMERIC_SOURCE
from gdexp.runs import printable_line

MOST_LINES = 6
MOST_CHARACTERS = 120
MOST_CAUSES = 100

_TORCH_CAUSES = {
    "cpu_capability": (50, "the processor's instruction set"),
    "flush_denormal": (35, "torch's flushing of denormal numbers"),
    "matmul_precision": (35, "torch's precision of matrix products"),
    "deterministic": (45, "torch's deterministic algorithms"),
    "mkldnn": (45, "oneDNN in torch"),
    "cuda": (55, "torch's CUDA"),
    "git": (55, "torch's commit"),
    "build": (60, "torch's build"),
    "interop_threads": (95, "the inter-op thread count"),
}
_PACKAGE_RANKS = {"torch": 52, "numpy": 70, "scikit-learn": 72}
_MACHINE_CAUSES = {
    "gpu_settings": (36, "the GPU's settings"),
    "gpu": (53, "the GPU"),
    "cudnn": (56, "the version of cuDNN"),
    "processor": (65, "the processor"),
    "machine": (75, "the machine"),
    "python": (80, "the python"),
    "gdexp": (85, "the gdexp"),
    "platform": (90, "the platform"),
}


@dataclass(frozen=True, order=True)
class Cause:
    """One difference between the two places.

    Attributes:
        rank: the smaller, the likelier it changes bits.
        what: it is, in words.
        there: in the reference.
        here: in the rerun.
    """

    rank: int
    what: str
    there: str = ""
    here: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.there} there, {self.here} here" if self.there else self.what

    def as_json(self) -> dict[str, Any]:
        """Its fields, the rank left out; null where there is nothing to say of the two places."""
        return {key: value or None for key, value in asdict(self).items() if key != "rank"}


def find_causes(
    there: Mapping[str, Any],
    here: Mapping[str, Any],
    sources: tuple[str, str] = ("", ""),
    doubts: tuple[str, ...] | list[str] = (),
) -> tuple[Cause, ...]:
    """The differences, most likely cause first.

    What one of the two does not say is passed over: records grow with time.

    Args:
        there: the reference's environment; any part may be missing or odd.
        here: the rerun's.
        sources: the source of the problem's own module, there and here.
        doubts: what the reference's record says against itself.
    """
    found = [
        Cause(0, f"the record contradicts itself: {printable_line(doubt)}") for doubt in doubts
    ]
    found += _problem(there, here, sources)
    found += _source(_group(there, "source"), _group(here, "source"))
    found += _settings(there, here)
    found += _versions(there, here)
    return tuple(sorted(found)[:MOST_CAUSES])


def _problem(
    there: Mapping[str, Any], here: Mapping[str, Any], sources: tuple[str, str]
) -> Iterator[Cause]:
    before, after = _group(there, "problem"), _group(here, "problem")
    if not before.get("digest") or before.get("digest") == after.get("digest"):
        return
    name = _text(before.get("file") or before.get("path"))
    lines = changed_lines(*sources)
    said = f" ({'; '.join(lines)})" if lines else ""
    yield Cause(10, f"the problem's own module {name} changed{said}")


def changed_lines(before: str, after: str) -> list[str]:
    """The first lines that differ, `-` as they were and `+` as they are."""
    if not before or not after:
        return []
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    changed = [line for line in compared if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    shown = [_text(f"{line[0]} {line[1:].strip()}") for line in changed if line[1:].strip()]
    more = [f"and {len(shown) - MOST_LINES} more lines"] if len(shown) > MOST_LINES else []
    return shown[:MOST_LINES] + more


def _source(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Cause]:
    if there.get("digest") == here.get("digest"):
        return  # then commits and uncommitted changes mean nothing
    before, after = _group(there, "files"), _group(here, "files")
    changed = [n for n in sorted({*before, *after}) if before.get(n) != after.get(n)]
    changed = [n for n in changed if str(n).startswith(NUMERIC_SOURCE)] if before else []
    if changed:
        more = f" and {len(changed) - 8} more" if len(changed) > 8 else ""
        names = ", ".join(map(_text, changed[:8])) + more
        yield Cause(20, f"gdexp's own files that decide numbers changed: {names}")
    elif there.get("digest"):
        where = ", not in a file that decides numbers" if before else ""
        yield Cause(88 if before else 25, f"gdexp's own source changed{where}")
    if there.get("commit") and here.get("commit") and there["commit"] != here["commit"]:
        yield Cause(89, "gdexp's commit", _text(there["commit"])[:12], _text(here["commit"])[:12])
    for state, place in ((there, "there"), (here, "here")):
        if state.get("dirty") is True:
            yield Cause(92, f"gdexp's source had uncommitted changes {place}")


def _settings(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Cause]:
    before, after = _group(there, "torch"), _group(here, "torch")
    if "threads" in before and before["threads"] != after.get("threads"):
        yield Cause(30, "the thread count", _text(before["threads"]), _text(after.get("threads")))
    for key, (rank, what) in _TORCH_CAUSES.items():
        if key in before and key in after and before[key] != after[key]:
            yield Cause(rank, what, _short(before[key]), _short(after[key]))
    if isinstance(there.get("variables"), Mapping):
        before, after = _group(there, "variables"), _group(here, "variables")
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                values = [_text(each.get(name, "not set")) for each in (before, after)]
                yield Cause(40, f"the environment variable {_text(name)}", *values)


def _versions(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[Cause]:
    before, after = _group(there, "packages"), _group(here, "packages")
    for name in sorted(set(before) & set(after)):
        if before[name] != after[name]:
            rank = _PACKAGE_RANKS.get(name, 93)
            yield Cause(rank, f"the version of {name}", _text(before[name]), _text(after[name]))
    for key, (rank, what) in _MACHINE_CAUSES.items():
        if key in there and there[key] != here.get(key):
            yield Cause(rank, what, _text(there[key]), _text(here.get(key)))


def _group(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    if not isinstance(found, Mapping):
        return {}
    return {name: item for name, item in found.items() if isinstance(name, str)}


def _short(value: object) -> str:
    text = _text(value)
    return text[:12] if len(text) >= 40 else text


def _text(value: object) -> str:
    """A value from a stored file, fit to be printed."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, RecursionError):
        return "unreadable"
    text = printable_line(text[:MOST_CHARACTERS])
    return text if len(text) < MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
