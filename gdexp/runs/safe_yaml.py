"""Parse a stored `config.yaml` into plain containers: only the YAML that gdexp itself writes.

An untrusted file may expand from a few bytes to gigabytes, or name code in its tags. So the
parser's events are read one by one and put into dicts and lists here, in one pass. No loader is
involved that could build other objects or read numbers in base 60.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped]

MAX_CONFIG = 4_000_000
"""The largest stored config that is read, in bytes; a target of 100,000 numbers fits."""

MAX_VALUES = 150_000
"""The most values in a stored config, lists and groups included; more would take too long."""

MAX_DEPTH = 32
MAX_SCALAR = 2_000
"""The most characters of a value: the time to read a number grows with the square of them."""

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INFINITE = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_config(content: bytes) -> dict[str, Any]:
    """Parse YAML into plain containers.

    Raises:
        ValueError: it is too large or uses a feature that no config of gdexp uses: aliases,
            anchors, tags, merge keys, a key twice, several documents.
        YAMLError: it is not YAML.
    """
    if len(content) > MAX_CONFIG:
        raise ValueError(f"is larger than {MAX_CONFIG:,} bytes")
    events = _check_events(yaml.parse(content, Loader=_LOADER))
    loaded: object = None
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise ValueError("holds several documents")
            loaded = _node(next(events), events)
    if not isinstance(loaded, dict):
        raise ValueError("is no mapping of keys to values")
    return loaded


def _check_events(events: Iterator[Any]) -> Iterator[Any]:
    """Yield the events; raise ValueError at the first that gdexp never writes."""
    depth = values = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("holds aliases")
        if isinstance(event, yaml.NodeEvent):
            values += 1
            if event.anchor is not None:
                raise ValueError("holds anchors")
            if event.tag is not None:
                raise ValueError(f"holds a tag, {event.tag[:40]}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR:
            raise ValueError(f"holds a value of more than {MAX_SCALAR:,} characters")
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested more than {MAX_DEPTH} deep")
        if values > MAX_VALUES:
            raise ValueError(f"holds more than {MAX_VALUES:,} values")
        yield event


def _node(event: Any, events: Iterator[Any]) -> object:  # noqa: ANN401
    """Return the value that begins with an event; the caller limits the depth."""
    if isinstance(event, yaml.ScalarEvent):
        return _unquoted_value(event.value) if event.implicit[0] else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_node(event, events))
        return items
    group: dict[str, object] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _node(event, events)
        if not isinstance(key, str):
            raise ValueError("holds a key that is no text")
        if key == "<<":
            raise ValueError("holds a merge key")
        if key in group:
            raise ValueError(f"holds the key {key[:40]} twice")
        group[key] = _node(next(events), events)
    return group


def _unquoted_value(text: str) -> object:
    """Return the value of a text without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return float(_INFINITE[text]) if text in _INFINITE else text
