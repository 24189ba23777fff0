"""No module of gdexp keeps a state: what changes after the import belongs to an object."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "gdexp"
MODULES = sorted(PACKAGE.rglob("*.py"))
CONTAINERS = {"list", "dict", "set", "defaultdict", "deque", "Counter", "OrderedDict", "bytearray"}
MUTATORS = {
    *("append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "add", "discard"),
    *("update", "setdefault", "popitem", "appendleft", "popleft", "intersection_update"),
    *("difference_update", "symmetric_difference_update"),
}
AT_IMPORT = {"store_nodes", "_set_working_directory_last"}
"""Calls that a module may make at its import.

Hydra finds its plugins in this way, and the search path of `python -m gdexp` must be right before
anything is imported.
"""


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def at_import(path: Path) -> Iterator[ast.stmt]:
    """The statements that run at the import, those of classes, branches and loops included."""
    waiting: list[ast.AST] = [tree(path)]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test):
                continue  # runs in a process of its own, not at an import
            if isinstance(node, ast.stmt):
                yield node
            waiting.append(node)


def targets(node: ast.AST) -> list[ast.expr]:
    """What a statement assigns to or deletes."""
    if isinstance(node, ast.Assign | ast.Delete):
        return list(node.targets)
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All nodes of a module."""
    return [*ast.walk(tree(path))]


@cache
def containers(path: Path) -> set[str]:
    """The names of a module's own lists, dictionaries and sets."""
    found = set()
    for node in tree(path).body:
        value = getattr(node, "value", None)
        called = value.func if isinstance(value, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
        kinds = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
        if isinstance(value, kinds) or name in CONTAINERS:
            found |= {target.id for target in targets(node) if isinstance(target, ast.Name)}
    return found


def changed(node: ast.AST) -> ast.expr | None:
    """The container that a node changes, if it changes one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in MUTATORS else None
    for target in targets(node):
        if isinstance(target, ast.Subscript):
            return target.value
        if isinstance(node, ast.AugAssign):
            return target
    return None


def local_names(inside: Sequence[ast.AST]) -> set[str]:
    """The arguments and variables among the nodes of a function."""
    return {node.arg for node in inside if isinstance(node, ast.arg)} | {
        node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


@cache
def all_containers() -> set[str]:
    """The names of the lists, dictionaries and sets of all modules."""
    return {name for module in MODULES for name in containers(module)}


def changed_containers(path: Path) -> Iterator[str]:
    """The module-level containers that the package changes after the import, with their lines."""
    known, own = all_containers(), containers(path)
    for function in nodes(path):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        inside = [*ast.walk(function)]
        places = [(node, place) for node in inside if (place := changed(node)) is not None]
        local = local_names(inside) if places else set()
        for node, place in places:
            if isinstance(place, ast.Name) and place.id in own - local:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {place.id}"  # type: ignore[attr-defined]
            if isinstance(place, ast.Attribute) and place.attr in known & {place.attr.upper()}:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}: {place.attr}"  # type: ignore[attr-defined]


def changing(path: Path) -> Iterator[str]:
    """The variables of a module that change after its import, with their lines."""
    for node in nodes(path):
        if isinstance(node, ast.Global):
            yield f"{path.relative_to(PACKAGE)}:{node.lineno}: global {', '.join(node.names)}"
    yield from changed_containers(path)


@pytest.mark.slow
def test_a_module_has_no_variable_that_changes_after_its_import() -> None:
    assert not [found for path in MODULES for found in changing(path)]


def foreign(path: Path) -> Iterator[str]:
    """What a module changes of others at its import, with the lines."""
    for node in at_import(path):
        place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for target in targets(node):
            if isinstance(target, ast.Attribute | ast.Subscript):
                yield f"{place}: {ast.unparse(target)}"
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            if called not in AT_IMPORT:
                yield f"{place}: {called}()"


@pytest.mark.slow
def test_an_import_changes_nothing_of_another_library() -> None:
    assert not [found for path in MODULES for found in foreign(path)]


@pytest.mark.slow
def test_threads_are_made_in_one_module_that_hands_the_context_on() -> None:
    """A thread with an empty context would not mask what its command learned."""
    for path in MODULES:
        if path.name == "contexts.py":
            continue
        called = [node.func for node in nodes(path) if isinstance(node, ast.Call)]
        names = {ast.unparse(function) for function in called}
        assert not names & {"threading.Thread", "Thread", "threading.Timer"}, path
        assert not [name for name in names if name.endswith(".submit") or "pool.map" in name], path


@pytest.mark.parametrize(
    "source",
    [
        "known = []\ndef learn(x):\n    known.append(x)\n",
        "count = {}\ndef add(x):\n    count[x] = 1\n",
        "open_ = set()\ndef add(x):\n    global open_\n    open_ |= {x}\n",
    ],
)
def test_a_state_is_found(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "module.py"
    path.write_text(source)
    monkeypatch.setattr(f"{__name__}.PACKAGE", tmp_path)
    assert [*changing(path)]
