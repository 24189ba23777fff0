"""Names of a package that are loaded at their first use, because loading them takes long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` that loads each name from its own module.

    Args:
        package: the full name of the package that offers the names.
        homes: for each name the module or room below the package that defines it.

    Returns:
        The function; it raises AttributeError for a name that is not in `homes`.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return load
