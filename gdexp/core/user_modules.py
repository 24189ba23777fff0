"""The modules of the user's own: their files, the names of these, and what they import."""

from __future__ import annotations

import ast
import os
import sys
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from gdexp.core.own_files import is_own


def module_file(name: str, file: str) -> str:
    """Return the name under which a module's file is recorded; it holds no folder of the machine.

    Args:
        name: the module's name, with dots.
        file: its path.
    """
    place, end = Path(file), name.replace(".", "/")
    if name == "__main__":
        return place.name
    suffix = "".join(place.suffixes) or ".py"
    return f"{end}/__init__{suffix}" if place.stem == "__init__" else f"{end}{suffix}"


def own_module_file(module: ModuleType | None) -> str | None:
    """Return the absolute path of a module's file if it is the user's own, else None."""
    file = getattr(module, "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) and is_own(file) else None


def parent_packages(name: str) -> list[str]:
    """Return the names of the packages that a module is in."""
    parts = name.split(".")
    return [".".join(parts[:used]) for used in range(1, len(parts))]


def imported_modules(file: str, text: str | None, name: str, is_package: bool) -> set[str]:
    """Return the names of all modules that a module's source may import, also in functions."""
    if Path(file).suffix != ".py":
        return set()
    try:
        source = Path(file).read_bytes() if text is None else text
        return set(_imported_names(source, name, is_package))
    except (OSError, SyntaxError, ValueError):
        return set()


@cache
def _imported_names(source: bytes | str, name: str, is_package: bool) -> frozenset[str]:
    package = name if is_package else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for each in node.names:
                found |= {each.name, *parent_packages(each.name)}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: package.count(".") + 2 - node.level]
                base = ".".join([*above, *filter(None, [node.module])])
            found |= {base, *parent_packages(base), *(f"{base}.{each.name}" for each in node.names)}
    return frozenset(found)


def module_folders(name: str) -> list[Path]:
    """Return the folder that a module's file is in, by the name that is recorded of the file.

    An editable install may be found by a finder of its own, in no folder of `sys.path`.
    """
    top = name.partition("/")[0].removesuffix(".py")
    if not name.endswith(".py") or not top.isidentifier():
        return []
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None or spec.origin is None or not is_own(spec.origin):
        return []
    return [Path(spec.origin).parents[spec.submodule_search_locations is not None]]


@cache
def installed_version(name: str) -> str | None:
    """Return the version of the distribution of a top-level module; None for Python and gdexp.

    Most distributions have the name of their module. Another one is asked for its `__version__`:
    the index of all installed files takes a second to read.
    """
    if name in sys.stdlib_module_names or name == "gdexp":
        return None
    try:
        return metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        version = getattr(sys.modules.get(name), "__version__", None)
        return version if isinstance(version, str) else None
