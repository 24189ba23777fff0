"""The keys that gdexp's messages name, as a user of another application types them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import IO, Any

from rich.console import Console

KEYS: Mapping[str, str] = {
    "sweep.name": "study_name",
    "stopping.metric": "metric",
    "stopping.mode": "mode",
    "stopping.threshold": "threshold",
    "stopping.max_iterations": "max_steps",
    "stopping.max_seconds": "max_seconds",
    "tracking": "tracking",
}
"""gdexp's keys with those of `hydra.sweeper`; other keys of `sweep` have the same name there."""

NAMED = re.compile(r"(?<![\w.])(sweep|stopping|tracking)\.([a-z_]+)")
CHOSEN = re.compile(r"(?<![\w.])sweep\.sampler=(\w+)")
SWEPT = "sweep.space."


def words(text: str, renamed: Mapping[str, str] | None = None) -> str:
    """Return a message that names the keys of `hydra.sweeper`.

    Args:
        text: the message.
        renamed: further keys.
    """
    keys = {**KEYS, **(renamed or {})}

    def name(found: re.Match[str]) -> str:
        whole, group, key = found[0], found[1], found[2]
        if group == "tracking":
            return f"hydra.sweeper.{whole}"
        known = keys.get(whole, key if group == "sweep" else None)
        return whole if known is None else f"hydra.sweeper.{known}"

    return NAMED.sub(name, CHOSEN.sub(r"hydra/sweeper/sampler=\1", text.replace(SWEPT, "")))


class SweeperConsole(Console):
    """Prints gdexp's messages with the keys of `hydra.sweeper`.

    Args:
        inner: the console that gdexp's own commands print to.
        renamed: further keys.
    """

    def __init__(self, inner: Console, renamed: Mapping[str, str]) -> None:
        width = None if inner.is_terminal else inner.width
        self._inner, self._renamed = inner, renamed
        super().__init__(width=width, highlight=False, soft_wrap=False)

    @property
    def file(self) -> IO[str]:
        """Where it prints: where the inner console does."""
        return self._inner.file

    @file.setter
    def file(self, stream: IO[str]) -> None:
        self._inner.file = stream

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401
        """Print objects; see rich's `Console.print`."""
        said = (words(each, self._renamed) if isinstance(each, str) else each for each in objects)
        super().print(*said, **options)
