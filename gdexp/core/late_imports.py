"""Which file's code had which module files imported, by any way of importing.

The source of a module shows what its `import` statements may load. It does not show what
`importlib.import_module`, a plug-in or the reading of a pickle loads. Python's audit events show
it: a module's code is executed while the code that asked for it waits on the stack. They also show
what a module's file held when its code was executed: it may be edited while a long loss runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Set
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FrameType

from gdexp.core.bytecode import ran_another_text
from gdexp.core.loaded_files import MOST_SOURCE, OwnFile, load
from gdexp.core.own_files import is_own

MODULE = "<module>"
"""The name of the code of a module."""


def watch_imports() -> None:
    """Note the imports of this process from now on."""
    _imports()


def imported_by(file: str) -> Set[str]:
    """Return the module files of the user's own that the code of a file had imported.

    Args:
        file: its absolute path.
    """
    return _imports().by_file.get(file, set())


def executed(file: str) -> OwnFile | None:
    """Return a module's file of the user's own as it was executed; None where nobody saw it.

    Args:
        file: its absolute path.
    """
    return _imports().executed.get(file)


@dataclass(frozen=True)
class _Imports:
    """What the audit events showed.

    Attributes:
        by_file: the imported files by importing file.
        executed: the files as they were executed last.
    """

    by_file: dict[str, set[str]] = field(default_factory=dict)
    executed: dict[str, OwnFile] = field(default_factory=dict)

    def execute(self, file: str, code: CodeType) -> None:
        """Note that the code of a module's file is executed."""
        found = load(file, MOST_SOURCE, is_other=ran_another_text(file, code))
        if found is not None:
            self.executed[file] = found


@cache
def _imports() -> _Imports:
    """The imports of this process. Made once, with the audit hook, which stays."""
    imports = _Imports()

    def hook(event: str, given: tuple[object, ...]) -> None:
        """Note a module's code when it is executed, and a library of machine code when found."""
        if event == "exec":
            code = given[0]
            if not isinstance(code, CodeType) or code.co_name != MODULE:
                return
            file: object = code.co_filename
            if is_own(code.co_filename):
                imports.execute(os.path.abspath(code.co_filename), code)
        elif event == "import":
            file = given[1]  # of an extension module; else None: its code is executed later
        else:
            return
        if isinstance(file, str) and is_own(file):
            importer = _own_file(sys._getframe(1))
            if importer is not None:
                imports.by_file.setdefault(importer, set()).add(os.path.abspath(file))

    sys.addaudithook(hook)
    return imports


def _own_file(frame: FrameType | None) -> str | None:
    """Return the file of the nearest code of the user's own that waits; None if there is none."""
    while frame is not None:
        file = frame.f_code.co_filename
        if is_own(file):
            return os.path.abspath(file)
        if frame.f_code.co_name == MODULE and not file.startswith("<"):
            return None  # a library's module asks for it, whoever asked for the library
        frame = frame.f_back
    return None
