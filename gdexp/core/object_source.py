"""The source of functions and classes, those of a notebook and of an interpreter included."""

from __future__ import annotations

import ast
import inspect
import linecache
import textwrap
from types import FunctionType


def source_of(value: object) -> str:
    """Return the source of a function or class; empty where there is none.

    Python finds no source of a class that was defined in a notebook. Its methods know the cell,
    whose lines are kept.
    """
    try:
        return textwrap.dedent(inspect.getsource(value))  # type: ignore[arg-type]
    except (OSError, TypeError):
        return _class_source(value) if isinstance(value, type) else ""


def _class_source(cls: type) -> str:
    methods = [each for each in vars(cls).values() if isinstance(each, FunctionType)]
    for method in methods:
        lines = linecache.getlines(method.__code__.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:  # a cell with a magic command
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef) or node.name != cls.__name__:
                continue
            last = node.end_lineno or 0
            if node.lineno <= method.__code__.co_firstlineno <= last:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                return textwrap.dedent("".join(lines[first - 1 : last]))
    return ""
