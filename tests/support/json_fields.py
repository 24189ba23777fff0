"""Whether a command's JSON object is as `gdexp/cli/json_fields.py` says."""

from __future__ import annotations

from collections.abc import Iterator

from gdexp.cli.json_field import Fields
from gdexp.cli.json_fields import ANSWERS, EVERY, FAILED

NUMBERS_BY_NAME = ("inf", "-inf", "nan")
OR_NULL = " or null"


def faults(answer: dict[str, object], name: str | None = None) -> list[str]:
    """What differs from the fields of the object's command.

    Args:
        answer: the object.
        name: of the fields, where the command has several.
    """
    failed = {*answer} == {*EVERY, *FAILED}
    fields = FAILED if failed else ANSWERS[name or str(answer["command"])]
    return [*_object(answer, {**EVERY, **fields}, "")]


def _object(value: dict[str, object], fields: Fields, place: str) -> Iterator[str]:
    if "verdict" in value and "reference" not in value:  # nothing to compare with
        fields = {name: each for name, each in fields.items() if name in [*EVERY, *value]}
    if {*value} != {*fields}:
        yield f"{place} has {sorted({*value} ^ {*fields})} too many or too few"
    for name in {*value} & {*fields}:
        kind, _, inner = fields[name]
        yield from _value(value[name], kind, inner, f"{place}.{name}".lstrip("."))


def _value(value: object, kind: str, inner: Fields | None, place: str) -> Iterator[str]:
    if value is None and kind.endswith(OR_NULL):
        return
    kind = kind.removesuffix(OR_NULL)
    head, _, rest = kind.partition(" of ")
    if head == "list" and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _value(each, rest, inner, f"{place}[{number}]")
    elif head == "object" and isinstance(value, dict):
        if inner is not None:
            yield from _object(value, inner, place)
        for name, each in value.items() if rest else ():
            yield from _value(each, rest, None, f"{place}.{name}")
    elif not _is(value, kind):
        yield f"{place} is {value!r} and no {kind}"


def _is(value: object, kind: str) -> bool:
    if kind == "number":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number or value in NUMBERS_BY_NAME
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return {"text": isinstance(value, str), "boolean": isinstance(value, bool)}.get(
        kind, kind == "any"
    )
