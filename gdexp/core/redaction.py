"""Masking of secrets: passwords in addresses, values under keys that look like secrets, tokens.

Values of environment variables are masked too, when a config used them or when their names look
like secrets. Errors and log records pass through `mask_secrets` before a person sees them, so text
that a library quotes is covered. Source texts pass through `mask_source` before they are stored.
"""

from __future__ import annotations

import logging
import os
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "***"

SHORTEST = 4
"""Characters; to hide a shorter text wherever it occurs would garble messages, not protect."""

# Some words tell a secret wherever they stand (PGPASSWORD), others only as a word of their own.
_TELLING = "passwords?|passwd|passphrase|secrets?|credentials?"
_WORDS = (
    "pwd|token|auth|authorization|bearer|jwt|cookies?|"
    "(?:api|access|account|private|secret|session|signing|encryption|auth)_?keys?"
)
_SECRET = re.compile(rf"(?:{_TELLING}|(?:^|_)(?:{_WORDS}))(?:$|_|[0-9])")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# What a name begins with is looked at once, and lengths are bounded: no text takes long.
_USERINFO = re.compile(r"((?<![\w+.-])[A-Za-z][\w+.-]*://)(?!/)[^\s'\"]{0,4000}@")
_QUERY = re.compile(r"((?<!\w)(?:https?|postgres[\w+]*)://[^\s'\"?#]{1,4000}\?)[^\s'\"]+")
_ASSIGNED = re.compile(
    r"(?<![\w.@/-])([\w.@/-]+)([\"']\s{0,9}[:=]\s{0,9}|=\s{0,9}|:(?![\s/]))"
    r"(\"[^\"]*\"|'[^']*'|[^\s,(){}\[\]]+)"
)
_TOKENS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(?:gh[pousr]|github_pat|glpat|xox[abprs]|hf|sk|pk|rk)[_-][A-Za-z0-9_-]{16,200}"
    r"|\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{1,4000}(?:\.[A-Za-z0-9_-]{0,4000})?"
)
_YAML = re.compile(r"(?m)^\s*(?:- )?([\w.-]+)(:[ ]+)(\S.*)$")
_PLAIN = re.compile(
    r"null|none|true|false|[+-]?[\d.]+(?:e[+-]?\d+)?|[+-]?(?:inf|nan)", re.IGNORECASE
)

# In a source the rest of a line goes, and the next one too where only a bracket is opened.
_NAMED = re.compile(r"(?<![\w-])([\w-]{1,200})[\"']?\s{0,99}(?::=|[:=](?!=))\s{0,99}")
_REST = re.compile(r"(?:[(\[{\\]|[|>][+-]?|\"\"\"|'{3})[ \t]{0,99}\n.*|.*")
_PASS = re.compile(r"(?i)(?:^|[_-])pass(?:$|[_-])")
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S)

_PLACE = re.compile(r"(?:^(?:OLD)?PWD|_(?:SOCK|FILE|PATH|DIR|HOME))$")
"""Environment variables whose values are places, whatever else their names say."""

_known: list[set[str]] = []


def is_secret_key(key: str) -> bool:
    """Whether a config key looks as if a secret stood under it: `api_key`, `db.password`."""
    return any(
        _SECRET.search(_HUMPS.sub("_", part).lower().replace("-", "_"))
        for part in re.split(r"[./]", key)
    )


def has_secret(text: str) -> bool:
    """Whether a text holds what must not be stored, whatever key it is under.

    That is an address with a user or password, a well-known service's token, or something like
    `password=…`.
    """
    assigned = any(is_secret_key(name) for name, _, _ in _ASSIGNED.findall(text))
    return bool(assigned or _USERINFO.search(text) or _TOKENS.search(text))


def mask_secrets(text: str) -> str:
    """A text with `***` for every secret in it.

    Those are user, password and query of an address, what is assigned to a key that looks like a
    secret, tokens of well-known services, and what the command learned by `learn_secret`.
    """
    for value in sorted(_known[-1], key=len, reverse=True) if _known else ():
        text = text.replace(value, MASK)
    text = _USERINFO.sub(rf"\1{MASK}@", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    return _TOKENS.sub(MASK, _ASSIGNED.sub(_assigned, text))


def mask_yaml(text: str) -> str:
    """The same for lines of YAML, where a value stands behind a colon and a blank."""
    return _YAML.sub(_assigned, mask_secrets(text))


def mask_value(key: str, value: object) -> object:
    """The value of a config key, fit to be shown: containers keep their shape."""
    if isinstance(value, Mapping):
        return {each: mask_value(str(each), item) for each, item in value.items()}
    if is_secret_key(key) and value not in ("", None) and not isinstance(value, bool):
        return MASK
    if isinstance(value, list | tuple):
        return [mask_value("", item) for item in value]
    return mask_secrets(value) if isinstance(value, str) else value


def mask_source(text: str) -> str:
    """A source text fit to be stored, with what looks like a secret replaced by `***`.

    Beyond what `mask_secrets` masks: the rest of a line after a name such as `password` or
    `api_key`, private keys, and long runs of mixed letters and digits. It is better to mask a
    harmless word than to leave a secret.
    """
    text = _without_named(_KEY_BLOCK.sub(MASK, text))
    return _LONG.sub(_long, mask_secrets(text))


def learn_secret(value: str) -> None:
    """Remember a text that is a secret, or of an address its password, for `mask_secrets`."""
    if not _known:
        return
    _, address, rest = value.partition("://")
    if address:
        _learn_address(value, rest)
        return
    if ":" in value:  # user and password, to be put before a host
        learn_secret(value.rpartition(":")[2])
    for form in {value, unquote(value)}:
        if len(form) >= SHORTEST and not _PLAIN.fullmatch(form):
            _known[-1].add(form)


def learn_from(arguments: Iterable[str]) -> None:
    """Remember the secrets that a person typed."""
    for argument in arguments:
        key, _, value = argument.partition("=")
        if "://" in value or is_secret_key(key):
            learn_secret(value.strip("'\""))
        for name, _, assigned in _ASSIGNED.findall(value):
            if is_secret_key(name):
                learn_secret(assigned.strip("'\""))


@contextmanager
def guarding(arguments: Iterable[str] = ()) -> Iterator[None]:
    """Around a command: what it learns is hidden until its end, and then forgotten.

    Environment variables whose names look like secrets are learnt at once, for a problem's own
    code may read them and name them in an error. What is logged meanwhile, by any library, is
    hidden too.
    """
    _known.append(set())
    factory = logging.getLogRecordFactory()

    def make(*args: object, **kwargs: object) -> logging.LogRecord:
        return _without_secrets(factory(*args, **kwargs))

    logging.setLogRecordFactory(make)
    try:
        for name, value in os.environ.items():
            if is_secret_key(name) and not _PLACE.search(name):
                learn_secret(value)
        learn_from(arguments)
        yield
    finally:
        logging.setLogRecordFactory(factory)
        _known.pop()


def _without_secrets(record: logging.LogRecord) -> logging.LogRecord:
    """A log record as it may be printed or written."""
    try:
        record.msg, record.args = mask_secrets(record.getMessage()), ()
    except (TypeError, ValueError, KeyError):  # its own handler will say what is wrong with it
        return record
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = mask_secrets(
            "".join(traceback.format_exception(*record.exc_info)).rstrip()
        )
    return record


def _learn_address(address: str, rest: str) -> None:
    """The password of an address, or all that stands for its user, and secrets of its query."""
    who = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[0] or rest.rpartition("@")[0]
    learn_secret(who.partition(":")[2] or who)
    try:
        query = parse_qsl(urlsplit(address).query)
    except ValueError:  # an address that no library would take either
        return
    for name, value in query:
        if is_secret_key(name):
            learn_secret(value)


def _assigned(found: re.Match[str]) -> str:
    if not is_secret_key(found[1]) or found[3].startswith(MASK):
        return found[0]
    return found[0].removesuffix(found[3]) + MASK


def _without_named(text: str) -> str:
    """A source without what stands behind names that look like secrets."""
    kept, end = [], 0
    for found in _NAMED.finditer(text):
        name, begin = found[1], found.end()
        if begin <= end or not (is_secret_key(name) or _PASS.search(name)):
            continue
        rest = _REST.match(text, begin)
        if rest is not None and rest[0]:
            kept += [text[end:begin], MASK]
            end = rest.end()
    return "".join([*kept, text[end:]])


def _long(found: re.Match[str]) -> str:
    """A word stays, and so does a path; what no person would write is a key."""
    word = found[0]
    kinds = [any(c.isdigit() for c in word), any(c.islower() for c in word)]
    kinds.append(any(c.isupper() for c in word))
    hexadecimal = kinds[0] and re.fullmatch(r"[0-9a-fA-F]+", word) is not None
    return MASK if all(kinds) or hexadecimal else word
