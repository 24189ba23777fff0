"""The user's own code and data behind an import path, as this process loaded them.

What decided a result is part of its name: the module that the path names, every module of the
user's own that it imports, and the data files that it declares or that were read while its object
was built. A module's digest is that of its file when it was loaded. A later edit of the file does
not matter to the loaded code.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePath
from types import ModuleType

from gdexp.core.bytecode import loaded_another_text
from gdexp.core.errors import BadInput, GdexpError
from gdexp.core.given_objects import is_given
from gdexp.core.late_imports import executed, imported_by, watch_imports
from gdexp.core.loaded_files import MOST_SOURCE, OwnFile, load
from gdexp.core.opened_files import OpenedFiles
from gdexp.core.own_files import file_digest
from gdexp.core.paths import command_folder
from gdexp.core.user_modules import (
    imported_modules,
    installed_version,
    module_file,
    module_folders,
    own_module_file,
    parent_packages,
)

MOST_DATA = 16 * 1024
"""The most bytes of a data file whose text is kept, to name changed lines."""

TABLES = (".csv", ".tsv", ".dat")
"""Ends of the names of data files whose text is kept though they are not declared."""


class UserCode:
    """The user's own code and data behind one import path.

    Args:
        path: the import path, `package.module.attribute`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._modules: dict[str, OwnFile] = {}
        self._data: dict[str, OwnFile] = {}
        self._given: dict[str, OwnFile] = {}
        self._seen = -1
        self._libraries: set[str] = set()
        watch_imports()

    @property
    def files(self) -> dict[str, OwnFile]:
        """The files by name; modules that were imported since the last call have joined."""
        self.note_modules()
        return {**self._modules, **self._data, **self._given}

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each file by name."""
        return {name: file.digest for name, file in sorted(self.files.items())}

    @property
    def distributions(self) -> dict[str, str]:
        """The versions of the installed modules that the user's modules import, by name."""
        self.note_modules()
        found = {name: installed_version(name) for name in sorted(self._libraries)}
        return {name: version for name, version in found.items() if version is not None}

    @property
    def module(self) -> tuple[str, OwnFile] | None:
        """The module that the path names, as name and file; None if it is not loaded.

        It may be a module of an installed distribution, which is not among `files`.
        """
        if self._given:
            return next(iter(self._given.items()))
        module = self._root()
        file = None if module is None else getattr(module, "__file__", None)
        if module is None or file is None:
            return None
        name = module_file(module.__name__, file)
        found = self.files.get(name) or load(file, 0)
        return None if found is None else (name, found)

    @property
    def edited(self) -> list[str]:
        """The names of the files that are no longer as they were loaded."""
        return [
            name
            for name, file in self.files.items()
            if name not in self._given and file_digest(file.path) != file.digest
        ]

    def note_given(self, sources: Mapping[str, str]) -> None:
        """Add the sources of an object of a Python session, which has no module of its own.

        Args:
            sources: by the names under which they are recorded.
        """
        for name, text in sources.items():
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._given[name] = OwnFile("", digest, text)

    def note_modules(self) -> None:
        """Add the user's own modules that were imported meanwhile.

        Raises:
            GdexpError: Python executed another text of a module than its file holds.
        """
        if len(sys.modules) == self._seen and self._is_current():
            return
        if not self._is_current():
            self._data.clear()  # of a module that was loaded before, perhaps elsewhere
        seen = len(sys.modules)
        modules: dict[str, OwnFile] = {}
        for name, module in self._imported().items():
            if (file := own_module_file(module)) is None:
                continue
            shown = module_file(name, file)
            known, spec = self._modules.get(shown), getattr(module, "__spec__", None)
            again = known is None or known.loaded is not spec or known.path != file
            loaded = _loaded(file, module) if again else known
            if loaded is not None and loaded.is_other:
                raise GdexpError(
                    f"{shown}: Python ran stored bytecode of another text than the file holds, "
                    "which has the same size and time; touch the file, and start again"
                )
            if loaded is not None:
                modules[shown] = loaded
        self._modules, self._seen = modules, seen

    def note_data(self, files: Iterable[str], declared: bool = False) -> None:
        """Add data files as they are now.

        Args:
            files: their absolute paths.
            declared: whether the user's code named them as its data.
        """
        modules = {os.path.realpath(file.path) for file in self._modules.values()}
        for path in files:
            if os.path.realpath(path) in modules or "__pycache__" in Path(path).parts:
                continue
            kept = MOST_DATA if declared or path.endswith(TABLES) else 0
            name = self._name(path)
            known, now = self._data.get(name), file_digest(path)
            if now is not None and (known is None or known.digest != now):
                loaded = load(path, kept)
                if loaded is not None:
                    self._data[name] = loaded

    def declare(self, files: object) -> None:
        """Add the data files that the user's code declares, `files = ["data.csv"]`.

        A name is relative to the folder of the module, or else to the command's folder.

        Raises:
            BadInput: it is no list of names, or a file is missing.
        """
        if isinstance(files, str | PurePath) or not isinstance(files, Iterable):
            raise BadInput("files", files, 'must be a list of names: files = ["data.csv"]')
        for name in files:
            if not isinstance(name, str | PurePath):
                raise BadInput("files", name, "must be the name of a file")
            paths = [folder / name for folder in (*self._folders(), command_folder())]
            found = next((str(path) for path in paths if path.is_file()), None)
            if found is None:
                places = " and ".join(dict.fromkeys(str(path.parent) for path in paths))
                raise BadInput("files", str(name), f"is no file in {places}")
            self.note_data([os.path.abspath(found)], declared=True)

    def here(self, name: str) -> str | None:
        """Return the digest that a file of this name has on this machine; None if it is missing."""
        for folder in (
            *self._roots(),
            command_folder(),
            *module_folders(name),
            *map(Path, sys.path),
        ):
            if (digest := file_digest(str(folder / name))) is not None:
                return digest
        return None

    def _is_current(self) -> bool:
        """Return whether the module of the path is the one that was noted."""
        module = self._root()
        file = None if module is None else own_module_file(module)
        if module is None or file is None:
            return True
        known = self._modules.get(module_file(module.__name__, file))
        return known is not None and known.loaded is getattr(module, "__spec__", None)

    def _root(self) -> ModuleType | None:
        """Return the loaded module that the path names."""
        if is_given(self.path):
            return None
        names = self.path.split(".")
        for used in range(len(names) - 1, 0, -1):
            module = sys.modules.get(".".join(names[:used]))
            if module is not None:
                return module
        return None

    def _folders(self) -> list[Path]:
        """Return the folder of the module that the path names."""
        module = self._root()
        file = None if module is None else own_module_file(module)
        return [] if file is None else [Path(file).parent]

    def _roots(self) -> list[Path]:
        """Return the folder from which the module's top package was imported."""
        module = self._root()
        file = None if module is None else own_module_file(module)
        if module is None or file is None:
            return []
        up = module.__name__.count(".") + (Path(file).stem == "__init__")
        return [Path(file).parents[up]]

    def _name(self, path: str) -> str:
        """Return the name of a data file, which stays when the folder of the work is moved."""
        for folder in (*self._roots(), command_folder()):
            for one, other in ((path, folder), (os.path.realpath(path), folder.resolve())):
                if Path(one).is_relative_to(other):
                    return Path(one).relative_to(other).as_posix()
        return PurePath("…", *Path(path).parts[-2:]).as_posix()

    def _imported(self) -> dict[str, ModuleType | None]:
        """Return the user's own loaded modules that the path's module imports, itself included."""
        found: dict[str, ModuleType | None] = {}
        root = self._root()
        waiting = [] if root is None else [root.__name__]
        while waiting:
            name = waiting.pop()
            module = sys.modules.get(name)
            file = own_module_file(module)
            if name in found or module is None:
                continue
            if file is None:
                self._libraries.add(name.partition(".")[0])
                continue
            found[name] = module
            waiting += parent_packages(name)
            known = self._modules.get(module_file(name, file))
            text = known.text if known is not None else None
            waiting += imported_modules(file, text, name, hasattr(module, "__path__"))
            waiting += _loaded_from(imported_by(file))
        return found


@contextmanager
def watched(path: str) -> Iterator[UserCode]:
    """Note the modules and data files that are loaded inside the block for an import path."""
    code = user_code(path)
    with OpenedFiles() as opened:
        yield code
    code.note_modules()
    code.note_data(opened.paths)


@cache
def user_code(path: str) -> UserCode:
    """Return what is known of the user's own code and data behind an import path.

    One object for each path: a process loads a module once.
    """
    return UserCode(path)


def changed_files(recorded: Mapping[str, str], *codes: UserCode) -> list[str]:
    """Return the names of recorded files that are other files now, or that are gone.

    A file that this process has not loaded yet is compared as it is on the disk.

    Args:
        recorded: digest by name.
        codes: what this process loaded.
    """
    now: dict[str, str] = {}
    for code in codes:
        now |= code.digests
    known = set(now.values())
    changed = []
    for name, digest in sorted(recorded.items()):
        found = now.get(name) or next(filter(None, (code.here(name) for code in codes)), None)
        if found != digest and (found is not None or digest not in known):
            changed.append(name)
    return changed


def _loaded(file: str, module: ModuleType | None) -> OwnFile | None:
    """Return a module's file as it was executed, or as it is now where nobody saw that."""
    spec, seen = getattr(module, "__spec__", None), executed(file)
    if seen is not None:
        return replace(seen, loaded=spec)
    is_other = module is not None and loaded_another_text(module, file)
    return load(file, MOST_SOURCE, spec, is_other)


def _loaded_from(files: Set[str]) -> list[str]:
    """Return the names of the loaded modules that have these files."""
    if not files:
        return []
    loaded = [(name, own_module_file(module)) for name, module in tuple(sys.modules.items())]
    return [name for name, file in loaded if file in files]
