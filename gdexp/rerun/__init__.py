"""Reruns that prove themselves: a tracked run read as data, replayed and compared bit for bit.

`reference` reads a run or an exported folder and checks it against its manifest, `replay` makes
its descents again, `verdict` compares, `explain` says what could be the cause, `report` puts it
in words, and `export` writes the folder.
"""

from __future__ import annotations

from gdexp.rerun.reference import Damaged, NoReference, Reference
from gdexp.rerun.verdict import Level, Verdict, compared

__all__ = ["Damaged", "Level", "NoReference", "Reference", "Verdict", "compared"]
