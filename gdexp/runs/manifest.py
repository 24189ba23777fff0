"""The manifest of a run: the sha256 of each of its files, and how large each may be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import BinaryIO

from gdexp.core import printable_line
from gdexp.engine import MOST_STORED
from gdexp.experiment import PROGRAM
from gdexp.runs.safe_yaml import MAX_CONFIG

MOST_BYTES = 1 << 30
MOST_JSON = 1 << 20
MOST_FILES = 1_000

_PART = re.compile(r"(?!\.+$)[A-Za-z0-9 _.+~%@=,-]{1,200}")


def size_limit(name: str) -> int:
    """Return the largest size in bytes of a file with this name that is read."""
    if name == "config.yaml":
        return MAX_CONFIG
    if name == PROGRAM or name.startswith("programs/"):
        return MOST_STORED
    return MOST_JSON if name.endswith((".json", ".diff", ".txt")) else MOST_BYTES


def parse_manifest(content: bytes) -> dict[str, str]:
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


def is_unaltered(manifest: Mapping[str, str], name: str, file: BinaryIO) -> bool:
    """Return whether an open file has the sha256 of the manifest; leave it at its start."""
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    file.seek(0)
    return manifest.get(name) == digest.hexdigest()
