"""The rooms of the package: every import goes down, and through the entrance of its room.

A room is a folder with an `__init__`. What other rooms may use is listed there in `__all__`.
The graph is read from the source: imports inside functions and for type checking count too.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import gdexp

PACKAGE = Path(gdexp.__file__).parent

FLOORS = [
    ["core", "import_path", "version"],
    ["checkpoints", "config", "display", "engine"],
    ["problems"],
    ["optimizers"],
    ["descent"],
    ["training"],
    ["experiment", "theory"],
    ["tracking"],
    ["runs"],
    ["comparison", "reruns", "sweeps"],
    ["suite", "sweeper"],
    ["hydra_plugins"],
    ["cli", "examples", "ui"],
    ["api"],
    ["figures"],
    ["__main__"],
]
"""The rooms from the ground up: each may import from the floors below its own."""


class Import(NamedTuple):
    """One imported name.

    Attributes:
        importer: the module that imports, as `gdexp.room.module`.
        source: the module or room after `from`.
        name: that is imported from it; empty for `import source`.
        line: where it stands, as `path:line`.
    """

    importer: str
    source: str
    name: str
    line: str


def module_name(path: Path) -> str:
    """`gdexp/room/module.py` as `gdexp.room.module`."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(sources: Mapping[str, str]) -> list[Import]:
    """Every import of a gdexp name, wherever it stands in a module.

    Args:
        sources: module name to its text.
    """
    found = []
    for importer, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            where = f"{importer}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and is_ours(node.module):
                source = str(node.module)
                found += [Import(importer, source, each.name, where) for each in node.names]
            elif isinstance(node, ast.Import):
                ours = (each.name for each in node.names if is_ours(each.name))
                found += [Import(importer, name, "", where) for name in ours]
    return found


def is_ours(name: str | None) -> bool:
    return name is not None and name.split(".")[0] == "gdexp"


def target_of(item: Import, modules: Iterable[str]) -> str:
    """The module or room that an import reaches."""
    inner = f"{item.source}.{item.name}"
    return inner if inner in modules else item.source


def shared(importer: str, target: str, rooms: Iterable[str]) -> str:
    """The innermost room that holds both."""
    inside = importer.split(".") if importer in rooms else importer.split(".")[:-1]
    parts = []
    for one, other in zip(inside, target.split("."), strict=False):
        if one != other:
            break
        parts.append(one)
    return ".".join(parts)


def child(room: str, module: str) -> str:
    """What holds a module directly below a room: itself, or a room that it is in."""
    return ".".join(module.split(".")[: room.count(".") + 2])


class House:
    """The package as a graph.

    Args:
        sources: module name to its text.
        rooms: the names of the modules that are an `__init__`.
    """

    def __init__(self, sources: Mapping[str, str], rooms: Iterable[str]) -> None:
        self.sources, self.rooms = sources, set(rooms)
        self.imports = imports_of(sources)

    def past_entrances(self) -> Iterator[str]:
        """Imports that reach into another room past its entrance."""
        offers = {room: offered(self.sources[room]) for room in self.rooms}
        for item in self.imports:
            target = target_of(item, self.sources)
            room = child(shared(item.importer, target, self.rooms), target)
            if room not in self.rooms or item.importer == room:
                continue
            if item.source == room and item.name in offers[room]:
                continue
            if target == room and item.source != room:  # the room itself, not what is in it
                continue
            yield f"{item.line}: {item.name or target} is not offered by {room}"

    def circles(self) -> Iterator[str]:
        """Imports that go round among the modules and rooms directly below one room."""
        for room in sorted(self.rooms):
            edges: dict[str, dict[str, str]] = defaultdict(dict)
            for item in self.imports:
                target = target_of(item, self.sources)
                if item.importer == room or not item.importer.startswith(f"{room}."):
                    continue
                if target.startswith(f"{room}."):
                    one, other = child(room, item.importer), child(room, target)
                    if one != other:
                        edges[one].setdefault(other, item.line)
            left = set(edges)
            while free := {one for one in left if not set(edges[one]) & left}:
                left -= free
            for one in sorted(left):
                for other in sorted(set(edges[one]) & left):
                    yield f"{edges[one][other]}: {one} imports {other}, which leads back to it"

    def upward(self, floors: list[list[str]]) -> Iterator[str]:
        """Imports from a floor at or above a room's own."""
        floor = {f"gdexp.{name}": at for at, names in enumerate(floors) for name in names}
        for item in self.imports:
            if item.importer == "gdexp":  # the public names, loaded when first used
                continue
            target = child("gdexp", target_of(item, self.sources))
            own = child("gdexp", item.importer)
            if target in (own, "gdexp"):
                continue
            if floor[target] >= floor[own]:
                yield f"{item.line}: {own} may not import {target}"


def offered(text: str) -> set[str]:
    """The names in a module's `__all__`."""
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
            value = node.value  # type: ignore[attr-defined]
            return {str(each.value) for each in value.elts if isinstance(each, ast.Constant)}
    return set()


@pytest.fixture(scope="module")
def house() -> House:
    paths = list(PACKAGE.rglob("*.py"))
    rooms = [module_name(path) for path in paths if path.name == "__init__.py"]
    return House({module_name(path): path.read_text() for path in paths}, rooms)


@pytest.mark.slow
def test_every_import_goes_through_an_entrance(house: House) -> None:
    assert list(house.past_entrances()) == []


def test_no_imports_go_round(house: House) -> None:
    assert list(house.circles()) == []


def test_no_import_goes_up(house: House) -> None:
    assert list(house.upward(FLOORS)) == []


def test_every_room_has_a_floor(house: House) -> None:
    below = {child("gdexp", name).removeprefix("gdexp.") for name in house.sources} - {"gdexp"}
    assert below == {name for names in FLOORS for name in names}


def test_no_room_has_the_name_of_a_public_function(house: House) -> None:
    coming = {"sweep", "rerun", "compare", "certify"}
    names = coming | set(gdexp.__all__)
    assert not {room.rpartition(".")[2] for room in house.rooms} & names


PLANTED = {
    "gdexp": "",
    "gdexp.low": "from gdexp.low.inner import word\n__all__ = ['word']",
    "gdexp.low.inner": "word = 1",
    "gdexp.low.other": "",
    "gdexp.high": "__all__ = []",
    "gdexp.high.module": "",
}


@pytest.mark.parametrize(
    ("importer", "line", "fault"),
    [
        ("gdexp.high.module", "from gdexp.low.inner import word", "word is not offered by"),
        ("gdexp.high.module", "from gdexp.low import other", "other is not offered by"),
        ("gdexp.high.module", "import gdexp.low.inner", "gdexp.low.inner is not offered by"),
        ("gdexp.low.other", "def f():\n    from gdexp.high import module", "may not import"),
        ("gdexp.low.inner", "def f():\n    from gdexp.low import other", "leads back to it"),
    ],
)
def test_a_planted_fault_is_found(importer: str, line: str, fault: str) -> None:
    sources = {**PLANTED, importer: line}
    if fault == "leads back to it":
        sources["gdexp.low.other"] = "from gdexp.low.inner import word"
    planted = House(sources, ["gdexp", "gdexp.low", "gdexp.high"])
    said = [*planted.past_entrances(), *planted.circles(), *planted.upward([["low"], ["high"]])]
    at = 1 + line.count("\n")
    assert any(each.startswith(f"{importer}:{at}: ") and fault in each for each in said), said


def test_what_a_room_offers_may_be_used() -> None:
    sources = {**PLANTED, "gdexp.high.module": "from gdexp.low import word\nfrom gdexp import low"}
    planted = House(sources, ["gdexp", "gdexp.low", "gdexp.high"])
    assert not [*planted.past_entrances(), *planted.circles()]
    assert not list(planted.upward([["low"], ["high"]]))
