"""What a composition of Hydra was made from, and whether that is as it was.

This needs private parts of Hydra and OmegaConf; they are in the `*_internals.py` modules.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from inspect import getclosurevars
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from omegaconf.base import Container
from omegaconf.basecontainer import BaseContainer

if TYPE_CHECKING:
    from hydra.plugins.config_source import ConfigSource

OWN_SOURCES = "hydra._internal.core_plugins."
"""Where the classes are that read Hydra's config sources; others may read anything."""

SETTLED_NS = 2_000_000_000
"""The age in ns from which a file cannot change without a new time: some clocks tick in 2 s."""

State = tuple[int, ...]
"""What tells a file from another one at the same path; () where there is none."""


class Sources:
    """What compositions were made from.

    These are files, folders, the nodes of the config store and environment variables.
    """

    def __init__(self) -> None:
        self.known = True
        self._variables: dict[str, str | None] = {}
        self._states: dict[str, State] = {}
        self._folders: dict[str, str | None] = {}
        self._stored = list(_stored())

    def note(self, source: ConfigSource, config_path: str, kind: ObjectType | None) -> None:
        """Note that Hydra asks whether a source has a config or a group."""
        if source.scheme() == "structured" and _is_own(source):
            return
        folder = self._folder(source)
        if folder is None:
            self.known = False
            return
        name = (
            source._normalize_file_name(config_path) if kind is ObjectType.CONFIG else config_path
        )
        path = os.path.join(folder, name)
        if path not in self._states:
            self._states[path] = _state(path)

    def note_resolver(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Note that a resolver is called: it may read anything, unless it is OmegaConf's own."""
        if not _is_omegaconfs(name):
            self.known = False
        elif name == "oc.env":
            self._variables.setdefault(str(arguments[0]), os.environ.get(str(arguments[0])))

    def _folder(self, source: ConfigSource) -> str | None:
        """Return the folder of a source; None where it may be none."""
        key = source.full_path()
        if key not in self._folders:
            self._folders[key] = _folder(source)
        return self._folders[key]

    @property
    def settled(self) -> bool:
        """Whether no file can change from now on without being seen to."""
        newest = time.time_ns() - SETTLED_NS
        return all(state[-1] < newest for state in self._states.values() if len(state) > 1)

    @property
    def hold(self) -> bool:
        """Whether all is as it was."""
        return (
            self.known
            and all(_state(path) == state for path, state in self._states.items())
            and all(os.environ.get(name) == value for name, value in self._variables.items())
            and _same(list(_stored()), self._stored)
        )


def _is_omegaconfs(name: str) -> bool:
    known: Any = BaseContainer._resolvers.get(name)
    function = None if known is None else getclosurevars(known).nonlocals.get("resolver")
    return str(getattr(function, "__module__", None)).startswith("omegaconf.")


def _is_own(source: ConfigSource) -> bool:
    return type(source).__module__.startswith(OWN_SOURCES)


def _folder(source: ConfigSource) -> str | None:
    if not _is_own(source) or source.scheme() not in ("file", "pkg"):
        return None
    if source.scheme() == "file":
        return source.path if os.path.isabs(source.path) else None
    try:
        found = resources.files(source.path)
    except (ValueError, ModuleNotFoundError, TypeError):
        return None
    return str(found) if isinstance(found, Path) else None


def _state(path: str) -> State:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    if not stat.S_ISREG(found.st_mode):
        return (stat.S_IFMT(found.st_mode),)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _stored() -> Iterator[tuple[str, Any]]:
    """The nodes of the config store: each is another object once it is stored anew."""
    folders = [("", ConfigStore.instance().repo)]
    while folders:
        place, folder = folders.pop()
        for name, each in folder.items():
            if isinstance(each, dict):
                folders.append((f"{place}{name}/", each))
            yield f"{place}{name}", each


def _same(found: list[tuple[str, Any]], known: list[tuple[str, Any]]) -> bool:
    return len(found) == len(known) and all(
        name == other and node is same
        for (name, node), (other, same) in zip(found, known, strict=True)
    )


@contextmanager
def resolvers_noted(seen: Sources, but: str = "") -> Iterator[None]:
    """Note the resolvers that are called inside the block, but one."""
    containers: Any = Container
    original = containers._evaluate_custom_resolver

    def evaluate(container: Container, **named: Any) -> Any:  # noqa: ANN401 (of OmegaConf)
        if named["inter_type"] != but:
            seen.note_resolver(named["inter_type"], named["inter_args"])
        return original(container, **named)

    containers._evaluate_custom_resolver = evaluate
    try:
        yield
    finally:
        containers._evaluate_custom_resolver = original
