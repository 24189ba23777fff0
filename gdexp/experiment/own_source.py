"""The state of gdexp's own source: its digests, its commit and what was changed since."""

from __future__ import annotations

import hashlib
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from gdexp.core import mask_source

NUMERIC_SOURCE = (
    *("problems", "optimizers", "descent", "training", "engine", "core/validation.py"),
    *(f"experiment/{kind}experiment.py" for kind in ("", "descent_", "training_")),
)
"""The parts of gdexp that decide the numbers of a descent; each of their files has a digest."""

MOST_TEXT = 64 * 1024
"""The most bytes of one text that are stored, a diff or a source."""


@cache
def source_state() -> dict[str, Any]:
    """Return the digest of gdexp's own source, and its commit if that is known."""
    package = _package()
    state: dict[str, Any] = {"digest": _digest(package), "files": _numeric_files(package)}
    commit = _git(package, "rev-parse", "HEAD")
    if commit and _git(package, "ls-files", "--error-unmatch", "__init__.py"):
        state["commit"] = commit
        state["dirty"] = bool(_git(package, "status", "--porcelain", "--", "."))
    return state


@cache
def source_diff() -> str:
    """Return the diff of gdexp's source and configs to their commit; empty if there is none."""
    package = _package()
    if not source_state().get("dirty"):
        return ""
    plain = ("--no-ext-diff", "--no-textconv", "--no-color")
    changed = _git(package, "diff", *plain, "HEAD", "--", ".", "../conf")
    new = _git(package, "ls-files", "--others", "--exclude-standard", "--", ".", "../conf")
    head = "".join(f"# not in the commit: {name}\n" for name in new.splitlines())
    return limited(head + changed)


def limited(text: str) -> str:
    """Return a text that may be stored: without secrets, and cut if it is too long."""
    text = mask_source(text)
    content = text.encode(errors="replace")
    if len(content) <= MOST_TEXT:
        return text
    kept = content[:MOST_TEXT].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n# cut here: {len(content):,} bytes in all\n"


def _package() -> Path:
    """Return the folder of gdexp's source."""
    return Path(__file__).parents[1]


def _digest(package: Path) -> str:
    """Return the sha256 over the names and bytes of the package's modules, in order."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        total.update(path.relative_to(package).as_posix().encode() + b"\0")
        total.update(path.read_bytes() + b"\0")
    return total.hexdigest()


def _numeric_files(package: Path) -> dict[str, str]:
    """Return the first 12 hex digits of the sha256 of each file that decides numbers."""
    found = {}
    for part in NUMERIC_SOURCE:
        place = package / part
        for path in [place] if place.suffix else sorted(place.rglob("*.py")):
            name = path.relative_to(package).as_posix()
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
