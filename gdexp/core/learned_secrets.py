"""The secrets that a command learned from its arguments, its config and its environment."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from urllib.parse import parse_qsl, unquote, urlsplit

from gdexp.core.contexts import context_value
from gdexp.core.secret_finder import assigned_values
from gdexp.core.secret_words import is_secret_key

MASK = "***"

SHORTEST = 4
"""Characters. A shorter text is not masked: it would garble messages and protect nothing."""

_PLAIN = re.compile(
    r"null|none|true|false|[+-]?[\d.]+(?:e[+-]?\d+)?|[+-]?(?:inf|nan)", re.IGNORECASE
)

_PLACE = re.compile(r"(?:^(?:OLD)?PWD|_(?:SOCK|FILE|PATH|DIR|HOME))$")
"""Environment variables that hold a place, whatever else their names say."""


class LearnedSecrets:
    """The texts that one command learned to be secret."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def learn(self, value: str) -> None:
        """Remember a secret text; of an address only its password and the secrets in its query."""
        _, address, rest = value.partition("://")
        if address:
            self._learn_address(value, rest)
            return
        if ":" in value:  # user and password, to be put before a host
            self.learn(value.rpartition(":")[2])
        for form in {value, unquote(value)}:
            if len(form) >= SHORTEST and not _PLAIN.fullmatch(form):
                self._texts.add(form)

    def learn_from_arguments(self, arguments: Iterable[str]) -> None:
        """Remember the secrets that a person typed."""
        for argument in arguments:
            key, _, value = argument.partition("=")
            if "://" in value or is_secret_key(key):
                self.learn(value.strip("'\""))
            for assigned in assigned_values(value):
                self.learn(assigned)

    def learn_from_environment(self) -> None:
        """Remember the environment variables whose names look like secrets.

        The code of a problem may read them and name their values in an error.
        """
        for name, value in os.environ.items():
            if is_secret_key(name) and not _PLACE.search(name):
                self.learn(value)

    def mask(self, text: str) -> str:
        """Return the text with `***` for each learned secret, the longest first."""
        for value in sorted(self._texts, key=len, reverse=True):
            text = text.replace(value, MASK)
        return text

    def current(self) -> AbstractContextManager[None]:
        """Make these the secrets of the running command inside the block."""
        return context_value(_CURRENT, self)

    def _learn_address(self, address: str, rest: str) -> None:
        """Remember the password of an address, or its whole user part, and secrets of its query."""
        who = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[0] or rest.rpartition("@")[0]
        self.learn(who.partition(":")[2] or who)
        try:
            query = parse_qsl(urlsplit(address).query)
        except ValueError:  # an address that no library would take either
            return
        for name, value in query:
            if is_secret_key(name):
                self.learn(value)


_CURRENT: ContextVar[LearnedSecrets | None] = ContextVar("gdexp_secrets", default=None)


def learn_secret(value: str) -> None:
    """Remember a secret text for the running command; do nothing outside of a command."""
    secrets = current_secrets()
    if secrets is not None:
        secrets.learn(value)


def current_secrets() -> LearnedSecrets | None:
    """Return what the running command learned; None outside of a command."""
    return _CURRENT.get()
