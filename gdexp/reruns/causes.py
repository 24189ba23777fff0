"""Find what differs between the environments of a run and its rerun, likeliest cause first."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gdexp.core import printable_line
from gdexp.experiment import NUMERIC_SOURCE, PROBLEM_SOURCE, program_digest, recorded_code

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
    "numerics": (18, "the version of gdexp's arithmetic"),
    "arithmetic": (19, "the version of the portable arithmetic"),
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
    """One difference between the two environments.

    Attributes:
        rank: a smaller rank is a likelier cause of different bits.
        what: the name of what differs.
        reference: its value in the environment of the reference; may be empty.
        rerun: its value in the environment of the rerun.
    """

    rank: int
    what: str
    reference: str = ""
    rerun: str = ""

    def __str__(self) -> str:
        if not self.reference:
            return self.what
        return f"{self.what}: {self.reference} there, {self.rerun} here"

    def as_json(self) -> dict[str, Any]:
        """Return the cause for JSON, without its rank; an empty value is null."""
        there, here = self.reference or None, self.rerun or None
        return {"what": self.what, "there": there, "here": here}


def find_causes(
    reference: Mapping[str, Any],
    rerun: Mapping[str, Any],
    sources: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    contradictions: tuple[str, ...] | list[str] = (),
) -> tuple[Cause, ...]:
    """Return the differences, most likely cause first.

    What only one of the two records is left out: later versions record more. Where both computed
    one portable program, neither machine, settings nor other libraries can change a bit.

    Args:
        reference: the environment of the reference; any part may be missing or malformed.
        rerun: the environment of the rerun.
        sources: the texts of the user's own files by name, of the reference and of the rerun; the
            text of the problem's module has the name `PROBLEM_SOURCE`.
        contradictions: where the record of the reference contradicts itself.
    """
    texts = map(printable_line, contradictions)
    found = [Cause(0, f"the record contradicts itself: {text}") for text in texts]
    found += _user_code(reference, rerun, sources)
    found += _source(_group(reference, "source"), _group(rerun, "source"))
    if _same_program(reference, rerun):
        found += _machine(reference, rerun, ("numerics", "arithmetic"))
    else:
        found += _settings(reference, rerun)
        found += _versions(reference, rerun)
    return tuple(sorted(found)[:MOST_CAUSES])


def _same_program(reference: Mapping[str, Any], rerun: Mapping[str, Any]) -> bool:
    """Return whether both say that they computed one stored program."""
    sha256 = program_digest(rerun)
    return sha256 is not None and sha256 == program_digest(reference)


def _user_code(
    reference: Mapping[str, Any],
    rerun: Mapping[str, Any],
    sources: tuple[Mapping[str, str], Mapping[str, str]],
) -> Iterator[Cause]:
    """Yield the files of the user's own that changed: the problem's module, its helpers, data."""
    before, after = _group(reference, "problem"), _group(rerun, "problem")
    module = before.get("file")
    if before.get("digest") and after.get("digest") and before["digest"] != after["digest"]:
        name = _text(module or before.get("path"))
        lines = _lines(PROBLEM_SOURCE, sources)
        yield Cause(10, f"the problem's own module {name} changed{lines}")
    there, here = recorded_code(reference), recorded_code(rerun)
    for name, digest in there.items():
        if here.get(name) == digest or name.rpartition("/")[2] == module:
            continue
        kind = "module" if name.endswith(".py") else "data file"
        if name in here:
            yield Cause(11, f"the {kind} {_text(name)} changed{_lines(name, sources)}")
        else:
            yield Cause(12, f"the {kind} {_text(name)} was used there and is not used here")
    for name in sorted(here.keys() - there.keys()) if there else ():
        if not name.endswith(".py"):  # a further module is imported by one that changed
            yield Cause(13, f"the data file {_text(name)} is used here and was not used there")


def _lines(name: str, sources: tuple[Mapping[str, str], Mapping[str, str]]) -> str:
    """Return the changed lines of a file in parentheses; empty where its texts are not known."""
    before, after = (texts.get(name, "") for texts in sources)
    lines = changed_lines(before, after)
    return f" ({'; '.join(lines)})" if lines else ""


def changed_lines(before: str, after: str) -> list[str]:
    """Return the first lines that differ: `-` before a removed line, `+` before a new one."""
    if not before or not after:
        return []
    compared = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    changed = [line for line in compared if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    shown = [_text(f"{line[0]} {line[1:].strip()}") for line in changed if line[1:].strip()]
    more = [f"and {len(shown) - MOST_LINES} more lines"] if len(shown) > MOST_LINES else []
    return shown[:MOST_LINES] + more


def _source(reference: Mapping[str, Any], rerun: Mapping[str, Any]) -> Iterator[Cause]:
    if reference.get("digest") == rerun.get("digest"):
        return  # the same source: its commit does not matter
    before, after = _group(reference, "files"), _group(rerun, "files")
    changed = [n for n in sorted({*before, *after}) if before.get(n) != after.get(n)]
    changed = [n for n in changed if str(n).startswith(NUMERIC_SOURCE)] if before else []
    if changed:
        more = f" and {len(changed) - 8} more" if len(changed) > 8 else ""
        names = ", ".join(map(_text, changed[:8])) + more
        yield Cause(20, f"gdexp's own files that decide numbers changed: {names}")
    elif reference.get("digest"):
        where = ", not in a file that decides numbers" if before else ""
        yield Cause(88 if before else 25, f"gdexp's own source changed{where}")
    if reference.get("commit") and rerun.get("commit") and reference["commit"] != rerun["commit"]:
        yield Cause(
            89, "gdexp's commit", _text(reference["commit"])[:12], _text(rerun["commit"])[:12]
        )
    for state, place in ((reference, "there"), (rerun, "here")):
        if state.get("dirty") is True:
            yield Cause(92, f"gdexp's source had uncommitted changes {place}")


def _settings(reference: Mapping[str, Any], rerun: Mapping[str, Any]) -> Iterator[Cause]:
    before, after = _group(reference, "torch"), _group(rerun, "torch")
    if "threads" in before and before["threads"] != after.get("threads"):
        yield Cause(30, "the thread count", _text(before["threads"]), _text(after.get("threads")))
    for key, (rank, what) in _TORCH_CAUSES.items():
        if key in before and key in after and before[key] != after[key]:
            yield Cause(rank, what, _short(before[key]), _short(after[key]))
    if isinstance(reference.get("variables"), Mapping):
        before, after = _group(reference, "variables"), _group(rerun, "variables")
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                values = [_text(each.get(name, "not set")) for each in (before, after)]
                yield Cause(40, f"the environment variable {_text(name)}", *values)


def _versions(reference: Mapping[str, Any], rerun: Mapping[str, Any]) -> Iterator[Cause]:
    before, after = _all_versions(reference), _all_versions(rerun)
    for name in sorted(set(before) & set(after)):
        if before[name] != after[name]:
            rank = _PACKAGE_RANKS.get(name, 93)
            yield Cause(rank, f"the version of {name}", _text(before[name]), _text(after[name]))
    yield from _machine(reference, rerun, _MACHINE_CAUSES)


def _machine(
    reference: Mapping[str, Any], rerun: Mapping[str, Any], keys: Iterable[str]
) -> Iterator[Cause]:
    for key in keys:
        rank, what = _MACHINE_CAUSES[key]
        if key in reference and reference[key] != rerun.get(key):
            yield Cause(rank, what, _text(reference[key]), _text(rerun.get(key)))


def _all_versions(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the versions of gdexp's packages and of those that the user's code imports."""
    own = _group(_group(environment, "code"), "distributions")
    return {**own, **_group(environment, "packages")}


def _group(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    if not isinstance(found, Mapping):
        return {}
    return {name: item for name, item in found.items() if isinstance(name, str)}


def _short(value: object) -> str:
    text = _text(value)
    return text[:12] if len(text) >= 40 else text


def _text(value: object) -> str:
    """Return a value of a stored file as one printable line, cut to `MOST_CHARACTERS`."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, RecursionError):
        return "unreadable"
    text = printable_line(text[:MOST_CHARACTERS])
    return text if len(text) < MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
