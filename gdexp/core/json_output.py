"""`output=json`: a command answers with one JSON object on standard output.

A command gives its object with any output; it is printed only where it was asked for:

    from gdexp.core import json_output
    json_output.answer("certify", {"bound": bound, "method": method})
    # and a line for each of its fields in gdexp/cli/json_fields.py

Everything else that is printed meanwhile, by a problem's own code or by a worker too, goes to
standard error. Numbers that JSON lacks are the texts "inf", "-inf" and "nan".
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from gdexp.core import streams
from gdexp.core.contexts import context_value
from gdexp.core.errors import StorageFailed
from gdexp.core.lost_output import lost_output
from gdexp.core.redaction import mask_secrets
from gdexp.core.streams import OwnStream

TEXT, JSON = "text", "json"
OUTPUTS = (TEXT, JSON)
"""The values of the key `output`."""


class JsonOutput:
    """The answer of one command, and standard output while it waits for the answer."""

    def __init__(self) -> None:
        self._stdout: OwnStream | None = None
        self._descriptor: int | None = None
        self._begun = False
        self._document: dict[str, Any] | None = None

    def begin(self) -> None:
        """Send what is printed from now on to standard error."""
        if self._begun:
            return
        self._begun = True
        self._stdout = OwnStream(sys.stdout)
        sys.stdout.flush()
        if self._stdout.number == 1:  # other processes and libraries write to it too
            self._descriptor = os.dup(1)
            os.dup2(2, 1)
        sys.stdout = sys.stderr
        streams.note()

    def answer(self, command: str, fields: Mapping[str, Any]) -> None:
        """Keep the answer; a later one replaces it."""
        if self._begun:
            self._document = {"command": command, **fields}

    def finish(self, exit_status: int) -> int:
        """Print the answer, if there is one, to what was standard output; return the status."""
        if not self._begun:
            return exit_status
        self._restore()
        if self._document is None:
            return exit_status
        command = self._document.pop("command")
        self._document.pop("exit_status", None)
        whole = {"command": command, "exit_status": exit_status, **self._document}
        try:
            print(json.dumps(plain(whole), indent=2, allow_nan=False), flush=True)
        except BrokenPipeError:  # the reader left
            lost_output()
            return exit_status or 1
        return exit_status

    def _restore(self) -> None:
        """Put standard output back, which the user's code may have closed meanwhile."""
        streams.own_stream("stdout").flush()
        if self._descriptor is not None:
            os.dup2(self._descriptor, 1)
            os.close(self._descriptor)
            self._descriptor = None
        assert self._stdout is not None, "it has begun"
        sys.stdout = self._stdout.opened()
        streams.note()
        if self._stdout.is_lost:
            raise StorageFailed(streams.CLOSED)


_CURRENT: ContextVar[JsonOutput | None] = ContextVar("gdexp_json_output", default=None)


@contextmanager
def current() -> Iterator[JsonOutput]:
    """Make a new answer the one that `begin` and `answer` act on."""
    made = JsonOutput()
    with context_value(_CURRENT, made):
        yield made


def begin(output: object) -> None:
    """Begin to answer in JSON, if `output` is json. Outside of a command nothing happens."""
    known = _CURRENT.get()
    if known is not None and output == JSON:
        known.begin()


def answer(command: str, fields: Mapping[str, Any]) -> None:
    """Give the command's answer: plain values, numbers, lists and mappings.

    Args:
        command: the name of the command, `run` for none.
        fields: of the object; `command` and `exit_status` are added.
    """
    known = _CURRENT.get()
    if known is not None:
        known.answer(command, fields)


def plain(value: object) -> Any:  # noqa: ANN401
    """Return a value that JSON can hold, without secrets."""
    return _plain(value, cache(mask_secrets))


def _plain(value: object, masked: Callable[[str], str]) -> object:
    if isinstance(value, Mapping):
        return {masked(str(key)): _plain(each, masked) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, masked) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if value is None or isinstance(value, bool | int):
        return value
    return masked(str(value))
