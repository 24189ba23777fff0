"""The digests of the shipped descents: made here, and compared with `tests/data/portable`.

`python -m benchmarks.portable_hashes` prints what differs, of all descents or of those that are
named; `--write` writes the file. It holds the bits of one version of the arithmetic: where a
digest changes on purpose, `gdexp.config.ARITHMETIC` rises first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.portable_bits import HOST, Way, bits, planned
from benchmarks.portable_cases import cases
from gdexp.config import ARITHMETIC

FILE = Path(__file__).parents[2] / "tests" / "data" / "portable" / "hashes.json"

PARTS = 40
"""The parts of the list; the tests make some of them in every run."""

Digests = dict[str, list[str]]
"""For each descent the sha256 of its programs, its trace and its final tensor."""


def shipped() -> Digests:
    """Return the digests in the file.

    Raises:
        ValueError: they belong to another version of the arithmetic.
    """
    stored = json.loads(FILE.read_text())
    if stored["arithmetic"] != ARITHMETIC:
        raise ValueError(f"{FILE} holds the bits of arithmetic {stored['arithmetic']}")
    found: Digests = stored["descents"]
    return found


def made(names: Iterable[str], way: Way = HOST) -> Digests:
    """Return the digests of descents that are made now."""
    return {
        name: [planned(cases()[name]).plan.sha256, *bits(cases()[name], way).digests]
        for name in names
    }


def differing(found: Digests) -> dict[str, str]:
    """Return what differs from the shipped digests, by the names of the descents."""
    known = shipped()
    parts = ("programs", "trace", "final")
    return {
        name: ", ".join(p for p, a, b in zip(parts, known[name], each, strict=True) if a != b)
        for name, each in found.items()
        if each != known[name]
    }


def part(number: int) -> list[str]:
    """Return the names of a part of the descents; each is in one of `PARTS`."""
    return list(cases())[number % PARTS :: PARTS]


def main(arguments: list[str]) -> int:
    """Compare or write; exit status 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="descents; all by default")
    parser.add_argument("--write", action="store_true", help="write the file")
    options = parser.parse_args(arguments)
    found = made(options.names or cases())
    if options.write:
        FILE.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(d)}" for name, d in found.items())
        FILE.write_text(f'{{"arithmetic": {ARITHMETIC}, "descents": {{\n{lines}\n}}}}\n')
        return 0
    wrong = differing(found)
    print(json.dumps({"made": len(found), "differing": wrong}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
