"""A check for the parts of a library that its documentation does not promise."""

from __future__ import annotations

from collections.abc import Iterable
from pkgutil import resolve_name


def missing_parts(names: Iterable[str]) -> list[str]:
    """Return the names that the installed library does not have.

    Args:
        names: each as `package.module:attribute.attribute`.
    """
    return [name for name in names if not _exists(name)]


def _exists(name: str) -> bool:
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
