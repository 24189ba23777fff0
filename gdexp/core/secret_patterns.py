"""Patterns of secrets: names that look like those of secrets, addresses with passwords, tokens."""

from __future__ import annotations

import re

# Some words mark a secret anywhere in a name (PGPASSWORD), others only as a separate word.
_TELLING = "passwords?|passwd|passphrase|secrets?|credentials?"
_WORDS = (
    "pwd|token|auth|authorization|bearer|jwt|cookies?|"
    "(?:api|access|account|private|secret|session|signing|encryption|auth)_?keys?"
)
_SECRET = re.compile(rf"(?:{_TELLING}|(?:^|_)(?:{_WORDS}))(?:$|_|[0-9])")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Lookbehinds let each name be tried once, and lengths are bounded: no text takes long.
USERINFO = re.compile(r"((?<![\w+.-])[A-Za-z][\w+.-]*://)(?!/)[^\s'\"]{0,4000}@")
QUERY = re.compile(r"((?<!\w)(?:https?|postgres[\w+]*)://[^\s'\"?#]{1,4000}\?)[^\s'\"]+")
ASSIGNED = re.compile(
    r"(?<![\w.@/-])([\w.@/-]+)([\"']\s{0,9}[:=]\s{0,9}|=\s{0,9}|:(?![\s/]))"
    r"(\"[^\"]*\"|'[^']*'|[^\s,(){}\[\]]+)"
)
TOKENS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(?:gh[pousr]|github_pat|glpat|xox[abprs]|hf|sk|pk|rk)[_-][A-Za-z0-9_-]{16,200}"
    r"|\beyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{1,4000}(?:\.[A-Za-z0-9_-]{0,4000})?"
)


def is_secret_key(key: str) -> bool:
    """Return whether a config key looks like the name of a secret: `api_key`, `db.password`."""
    return any(
        _SECRET.search(_HUMPS.sub("_", part).lower().replace("-", "_"))
        for part in re.split(r"[./]", key)
    )


def has_secret(text: str) -> bool:
    """Return whether a text holds what must not be stored, under any key.

    That is an address with a user or password, a token of a well-known service, or something like
    `password=…`.
    """
    assigned = any(is_secret_key(name) for name, _, _ in ASSIGNED.findall(text))
    return bool(assigned or USERINFO.search(text) or TOKENS.search(text))
