"""The files of `conf/` as they are written: keys, defaults and comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

KEY = re.compile(r"^( *)([A-Za-z_][\w.]*): *(.*?)(?: +# (.*))?$")
COMMENT = re.compile(r"^ *# ?(.*)$")


@dataclass(frozen=True)
class Key:
    """One key of a file.

    Attributes:
        name: with dots, from the beginning of the file on.
        default: as it is written; empty for a group.
        comment: what the file says of it.
    """

    name: str
    default: str
    comment: str


@dataclass(frozen=True)
class ConfigFile:
    """One file of `conf/`.

    Attributes:
        path: the file.
        command: that is on its first line.
        text: the other comments at its head.
        keys: its keys in their order, without the defaults list and Hydra's own.
    """

    path: Path
    command: str
    text: str
    keys: tuple[Key, ...]


def read(path: Path) -> ConfigFile:
    """Return a file with the comments of its head and of its keys."""
    lines = path.read_text(encoding="utf-8").splitlines()
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    head = [line.removeprefix("#").strip() for line in lines[:count]]
    head = [line for line in head if not line.startswith("@")]
    return ConfigFile(path, head[0], " ".join(head[1:]), tuple(_keys(lines[count:])))


def _keys(lines: list[str]) -> list[Key]:
    found: list[Key] = []
    above: list[tuple[int, str]] = []
    follows = False  # whether a comment goes on with that of the key above
    for line in lines:
        key, comment = KEY.match(line), COMMENT.match(line)
        if key is not None:
            depth, name = len(key[1]), key[2]
            above = [(d, n) for d, n in above if d < depth]
            path = ".".join([*(n for _, n in above), name])
            found.append(Key(path, key[3], key[4] or ""))
            above.append((depth, name))
            follows = True
        elif not line.strip():
            follows = False
        elif comment is not None and follows:
            found[-1] = _longer(found[-1], comment=comment[1])
        elif line.startswith(" ") and found and not line.lstrip().startswith("-"):
            found[-1] = _longer(found[-1], default=line.strip())
    return [each for each in found if each.name.split(".")[0] not in ("defaults", "hydra")]


def _longer(key: Key, default: str = "", comment: str = "") -> Key:
    """Return a key whose default or comment goes on in a further line."""
    value = f"{key.default.removeprefix('>-')} {default}".strip()
    return Key(key.name, value, f"{key.comment} {comment}".strip())
