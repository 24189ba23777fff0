"""`output=json`: a command answers with one JSON object on standard output.

A command gives its object with any output; it is printed only where it was asked for:

    from gdexp.core import json_output
    json_output.answer("certify", {"bound": bound, "method": method})
    # and a line for each of its fields in gdexp/cli/json_fields.py

A command that ends without an answer prints an object all the same, with the error that ended it.
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
        self._command = "run"
        self._stdout: OwnStream | None = None
        self._descriptor: int | None = None
        self._begun = False
        self._document: dict[str, Any] | None = None
        self._error: str | None = None
        self._refused: dict[str, Any] = {"key": None, "value": None}

    def begin(self, command: str) -> None:
        """Send what is printed from now on to standard error.

        Args:
            command: as it was typed, for an object without an answer.
        """
        if self._begun:
            return
        self._begun, self._command = True, command
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

    def fail(self, error: str, key: str | None = None, value: object = None) -> None:
        """Keep the error that ended the command.

        Args:
            error: its line on standard error.
            key: that was refused; None where the error is about none.
            value: of the key, without secrets.
        """
        self._error, self._refused = error, {"key": key, "value": value}

    def finish(self, exit_status: int) -> int:
        """Print the object to what was standard output; return the status.

        Nothing is printed of a command that neither answered nor failed.
        """
        if not self._begun:
            return exit_status
        self._restore()
        document = self._document
        if document is None and exit_status:
            document = {"command": self._command, **self._refused}
            self._error = self._error or f"exit status {exit_status}; standard error has the reason"
        if document is None:
            return exit_status
        first = {"command": document.pop("command"), "exit_status": exit_status}
        document.pop("exit_status", None)
        whole = {**first, "error": self._error, **document}
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
    """Make a new answer the one that `begin`, `answer` and `fail` act on."""
    made = JsonOutput()
    with context_value(_CURRENT, made):
        yield made


def begin(output: object, command: str) -> None:
    """Begin to answer in JSON, if `output` is json. Outside of a command nothing happens.

    Args:
        output: the value of the key.
        command: as it was typed; of several calls the first one counts.
    """
    known = _CURRENT.get()
    if known is not None and output == JSON:
        known.begin(command)


def answer(command: str, fields: Mapping[str, Any]) -> None:
    """Give the command's answer: plain values, numbers, lists and mappings.

    Args:
        command: the name of the command, `run` for none.
        fields: of the object; `command`, `exit_status` and `error` are added.
    """
    known = _CURRENT.get()
    if known is not None:
        known.answer(command, fields)


def fail(error: str, key: str | None = None, value: object = None) -> None:
    """Keep the error that ends the command; see `JsonOutput.fail`."""
    known = _CURRENT.get()
    if known is not None:
        known.fail(error, key, value)


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
