"""The page of the Python API, made from the docstrings of the public names."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from enum import Enum
from functools import cached_property
from types import FunctionType

import gdexp
from documentation.markdown import code, first_sentence, from_docstring

ROOMS = {
    "api": "Sweeps, records, comparisons",
    "descent": "Descents",
    "problems": "Problems",
    "optimizers": "Update rules and schedules",
    "training": "Trainings",
    "theory": "Theory",
    "runs": "Tracked runs",
    "core": "Errors",
}
"""The headings of the rooms that public names come from; other rooms follow by their name."""

MADE_BY_GDEXP = (
    "BatchResult",
    "Checkpoint",
    "Experiment",
    "Monitor",
    "Rerun",
    "Result",
    "RunComparison",
    "Runs",
    "Study",
    "StudyTrial",
    "TrackedRun",
    "TrainingResult",
)
"""Classes that nobody calls: gdexp makes their objects, or takes any with their methods."""

MEMBERS = (property, cached_property, classmethod, staticmethod, FunctionType)

SHORTEST = 60
"""Characters up to which a signature stands on one line."""


def api() -> str:
    """Return the page: for each room its public names, each with its docstring."""
    parts = [
        "# Python API\n",
        "Everything on this page is imported from `gdexp` itself. `import gdexp` waits for "
        "neither torch nor MLflow: a name is loaded when it is first used. This page is made from "
        "the docstrings.\n",
    ]
    by_room: dict[str, list[str]] = {}
    for name in gdexp.__all__:
        by_room.setdefault(gdexp._HOME[name], []).append(name)
    order = list(ROOMS)
    for room in sorted(by_room, key=lambda each: order.index(each) if each in ROOMS else 99):
        parts.append(f"## {ROOMS.get(room, room.capitalize())}\n")
        for name in sorted(by_room[room], key=lambda each: (each[0].isupper(), each)):
            parts.append(_entry(name, getattr(gdexp, name)))
    parts.append("## Figures\n")
    parts.append(from_docstring(inspect.getdoc(gdexp.figures)))
    for name in gdexp.figures.__all__:
        parts.append(_entry(f"figures.{name}", getattr(gdexp.figures, name)))
    return "\n".join(parts)


def _entry(name: str, value: object) -> str:
    """Return the heading, signature and docstring of one name; of a class its members too."""
    parts = [f"### {name}\n", from_docstring(inspect.getdoc(value))]
    if isinstance(value, type) and issubclass(value, Enum):
        parts.append(f"**Values:** {', '.join(code(each.value) for each in value)}\n")
    elif callable(value) and name not in MADE_BY_GDEXP:
        parts.insert(1, f"```text\n{signature(name, value)}\n```\n")
    members = sorted(_members(value)) if inspect.isclass(value) else []
    if members:
        parts += ["**Members:**\n", *(_member(key, member) for key, member in members)]
    return "\n".join(parts) + "\n"


def signature(name: str, value: object) -> str:
    """Return a call as a person reads it: names, types and defaults, without quotation marks."""
    try:
        found = inspect.signature(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return f"{name}(…)"
    arguments = []
    for each in found.parameters.values():
        if each.name == "self":
            continue
        stars = "*" * (each.kind is each.VAR_POSITIONAL) + "**" * (each.kind is each.VAR_KEYWORD)
        kind = "" if each.annotation is each.empty else f": {_type(each.annotation)}"
        default = "" if each.default is each.empty else f" = {_default(each.default)}"
        arguments.append(f"{stars}{each.name}{kind}{default}")
    result = found.return_annotation
    gives = "" if result in (found.empty, "None", None) else f" -> {_type(result)}"
    line = f"{name}({', '.join(arguments)}){gives}"
    if len(line) <= SHORTEST or not arguments:
        return line
    return f"{name}(\n    " + ",\n    ".join(arguments) + f",\n){gives}"


def _members(cls: type) -> Iterator[tuple[str, object]]:
    """Yield the public methods and properties that gdexp defines for a class."""
    seen: set[str] = set()
    for owner in cls.__mro__:
        if not owner.__module__.startswith("gdexp"):
            continue
        for name, member in vars(owner).items():
            if name.startswith("_") or name in seen:
                continue
            seen.add(name)
            if isinstance(member, MEMBERS):
                yield name, member


def _member(name: str, member: object) -> str:
    """Return one line of a class's list: the call and the first sentence of its docstring."""
    if isinstance(member, property | cached_property):
        shown = f".{name}"
    else:
        function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        names = [n for n in inspect.signature(function).parameters if n not in ("self", "cls")]  # type: ignore[arg-type]
        shown = f".{name}({', '.join(names)})"
    return f"- `{shown}`: {first_sentence(inspect.getdoc(member))}"


def _type(annotation: object) -> str:
    if isinstance(annotation, str):
        return annotation.strip("'")
    return getattr(annotation, "__name__", str(annotation))


def _default(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    shown = repr(value)
    return getattr(value, "__name__", "…") if " at 0x" in shown or "<" in shown else shown
