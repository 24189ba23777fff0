"""What must be neither shown nor stored: passwords in addresses, keys that look like secrets.

Also what environment variables hold, as soon as a config has used them. Errors pass through here
on their way to a person, so what a library quotes in its own message is covered too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

HIDDEN = "***"

SHORTEST = 4
"""Characters; to hide a shorter text wherever it occurs would garble messages, not protect."""

_WORDS = (
    "passwords?|passwd|passphrase|pwd|secrets?|token|credentials?|authorization|bearer|"
    "(?:api|access|private|secret|signing|encryption|auth)_?keys?"
)
_SECRET = re.compile(rf"(?:^|_)(?:{_WORDS})(?:$|_|[0-9])")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# What a name begins with is looked at once, and lengths are bounded: no text takes long.
_USERINFO = re.compile(r"((?<![\w+.-])[A-Za-z][\w+.-]*://)(?!/)[^\s'\"]{0,4000}@")
_QUERY = re.compile(r"((?<!\w)(?:https?|postgres[\w+]*)://[^\s'\"?#]{1,4000}\?)[^\s'\"]+")
_ASSIGNED = re.compile(
    r"(?<![\w.@/-])([\w.@/-]+)([\"']\s{0,9}[:=]\s{0,9}|=\s{0,9}|:(?![\s/]))"
    r"(\"[^\"]*\"|'[^']*'|[^\s,(){}\[\]]+)"
)
_YAML = re.compile(r"(?m)^\s*(?:- )?([\w.-]+)(:[ ]+)(\S.*)$")
_PLAIN = re.compile(
    r"null|none|true|false|[+-]?[\d.]+(?:e[+-]?\d+)?|[+-]?(?:inf|nan)", re.IGNORECASE
)

_known: list[set[str]] = []


def secret_key(key: str) -> bool:
    """Whether a config key looks as if a secret stood under it: `api_key`, `db.password`."""
    return any(
        _SECRET.search(_HUMPS.sub("_", part).lower().replace("-", "_"))
        for part in re.split(r"[./]", key)
    )


def hidden(text: str) -> str:
    """A text with `***` for every secret in it.

    Those are user, password and query of an address, what is assigned to a key that looks like a
    secret, and what the running command has learnt by `learn`.
    """
    for value in sorted(_known[-1], key=len, reverse=True) if _known else ():
        text = text.replace(value, HIDDEN)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    return _ASSIGNED.sub(_assigned, text)


def hidden_lines(text: str) -> str:
    """The same for lines of YAML, where a value stands behind a colon and a blank."""
    return _YAML.sub(_assigned, hidden(text))


def hidden_value(key: str, value: object) -> object:
    """The value of a config key, fit to be shown: containers keep their shape."""
    if isinstance(value, Mapping):
        return {each: hidden_value(str(each), item) for each, item in value.items()}
    if secret_key(key) and value not in ("", None) and not isinstance(value, bool):
        return HIDDEN
    if isinstance(value, list | tuple):
        return [hidden_value("", item) for item in value]
    return hidden(value) if isinstance(value, str) else value


def learn(value: str) -> None:
    """Remember a text that is a secret, or of an address its password, for `hidden`."""
    if not _known:
        return
    _, address, rest = value.partition("://")
    if address:
        value = rest.rpartition("@")[0].partition(":")[2]
    elif ":" in value:  # user and password, to be put before a host
        learn(value.rpartition(":")[2])
    if len(value) >= SHORTEST and not _PLAIN.fullmatch(value):
        _known[-1].add(value)


def learn_from(arguments: Iterable[str]) -> None:
    """Remember the secrets that a person typed."""
    for argument in arguments:
        key, _, value = argument.partition("=")
        if "://" in value or secret_key(key):
            learn(value.strip("'\""))
        for name, _, assigned in _ASSIGNED.findall(value):
            if secret_key(name):
                learn(assigned.strip("'\""))


@contextmanager
def guarding(arguments: Iterable[str] = ()) -> Iterator[None]:
    """Around a command: what it learns is hidden until its end, and then forgotten."""
    _known.append(set())
    try:
        learn_from(arguments)
        yield
    finally:
        _known.pop()


def _assigned(found: re.Match[str]) -> str:
    if not secret_key(found[1]) or found[3].startswith(HIDDEN):
        return found[0]
    return found[0].removesuffix(found[3]) + HIDDEN
