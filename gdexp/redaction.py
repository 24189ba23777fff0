"""Secrets taken out of a text that is about to be stored."""

from __future__ import annotations

import re

from gdexp.secrets import HIDDEN

_USERINFO = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://)[^\s/@'\"]+@")
_NAMES = (
    r"pass(?:word|wd|phrase)?|secret|token|credentials?|private[_-]?key|api[_-]?key|"
    r"access[_-]?key|auth(?:orization)?|signing[_-]?key"
)
_NAMED = re.compile(
    rf"(?i)((?<![a-z])(?:[a-z0-9]+[_-])*(?:{_NAMES})(?:[_-][a-z0-9]+)*[\"']?\s*[:=]\s*)(?!=)(\S.*)"
)
_TOKENS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(?:gh[pousr]|github_pat|glpat|xox[abprs]|hf|sk|pk|rk)[_-][A-Za-z0-9_-]{16,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"
)
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S)


def redacted(text: str) -> str:
    """The text with what looks like a secret replaced by `***`.

    That is: user and password in a URL, what is assigned to a name such as `password` or
    `api_key`, tokens of well-known services, private keys, and long runs of mixed letters and
    digits. Rather a harmless word too many than a secret too few.
    """
    text = _KEY_BLOCK.sub(HIDDEN, text)
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _TOKENS.sub(HIDDEN, text)
    return _LONG.sub(_long, text)


def _long(found: re.Match[str]) -> str:
    """A word stays, and so does a path; what no person would write is a key."""
    word = found[0]
    kinds = [any(c.isdigit() for c in word), any(c.islower() for c in word)]
    kinds.append(any(c.isupper() for c in word))
    hexadecimal = kinds[0] and re.fullmatch(r"[0-9a-fA-F]+", word) is not None
    return HIDDEN if all(kinds) or hexadecimal else word
