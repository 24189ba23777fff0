"""Files by name, some of which are made only when they are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

Content = bytes | Callable[[], bytes]
"""The bytes of a file, or what makes them."""


class Files(Mapping[str, bytes]):
    """Files by name. Large ones are made anew at each access, so that one is in memory at a time.

    Args:
        contents: by name.
    """

    def __init__(self, contents: Mapping[str, Content]) -> None:
        self._contents = dict(contents)

    def __getitem__(self, name: str) -> bytes:
        content = self._contents[name]
        return content if isinstance(content, bytes) else content()

    def __iter__(self) -> Iterator[str]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)

    def added(self, others: Mapping[str, Content]) -> Files:
        """Return these files and others."""
        return Files({**self._contents, **others})

    def without(self, names: Collection[str]) -> Files:
        """Return these files but for some."""
        return Files({name: each for name, each in self._contents.items() if name not in names})
