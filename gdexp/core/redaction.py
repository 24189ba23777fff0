"""Masking of secrets: passwords in addresses, values under keys that look like secrets, tokens.

Values of environment variables are masked too, when a config used them or when their names look
like secrets. Errors and log records pass through `mask_secrets` before a person sees them, so text
that a library quotes is covered. Source texts pass through `mask_source` before they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gdexp.core.learned_secrets import MASK, LearnedSecrets, current_secrets
from gdexp.core.secret_patterns import ASSIGNED, QUERY, TOKENS, USERINFO, is_secret_key

_YAML = re.compile(r"(?m)^\s*(?:- )?([\w.-]+)(:[ ]+)(\S.*)$")

# In a source the rest of the line is masked, and the next line too after an opening bracket.
_NAMED = re.compile(r"(?<![\w-])([\w-]{1,200})[\"']?\s{0,99}(?::=|[:=](?!=))\s{0,99}")
_REST = re.compile(r"(?:[(\[{\\]|[|>][+-]?|\"\"\"|'{3})[ \t]{0,99}\n.*|.*")
_PASS = re.compile(r"(?i)(?:^|[_-])pass(?:$|[_-])")
_LONG = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.S)


def mask_secrets(text: str, learned: LearnedSecrets | None = None) -> str:
    """Return the text with `***` for every secret in it.

    These are user, password and query of an address, values of keys that look like secrets, tokens
    of well-known services, and what the command learned by `learn_secret`.

    Args:
        text: any text.
        learned: the secrets that a command learned; None: those of the running command.
    """
    learned = learned or current_secrets()
    if learned is not None:
        text = learned.mask(text)
    text = USERINFO.sub(rf"\1{MASK}@", text)
    text = QUERY.sub(rf"\1{MASK}", text)
    return TOKENS.sub(MASK, ASSIGNED.sub(_assigned, text))


def mask_yaml(text: str) -> str:
    """Return lines of YAML without secrets; there a value follows a colon and a space."""
    return _YAML.sub(_assigned, mask_secrets(text))


def mask_value(key: str, value: object) -> object:
    """Return the value of a config key without secrets; containers keep their shape."""
    if isinstance(value, Mapping):
        return {each: mask_value(str(each), item) for each, item in value.items()}
    if is_secret_key(key) and value not in ("", None) and not isinstance(value, bool):
        return MASK
    if isinstance(value, list | tuple):
        return [mask_value("", item) for item in value]
    return mask_secrets(value) if isinstance(value, str) else value


def mask_source(text: str) -> str:
    """Return a source text that may be stored: what looks like a secret becomes `***`.

    Beyond what `mask_secrets` masks: the rest of a line after a name such as `password` or
    `api_key`, private keys, and long runs of mixed letters and digits. It is better to mask a
    harmless word than to leave a secret.
    """
    text = _without_named(_KEY_BLOCK.sub(MASK, text))
    return _LONG.sub(_long, mask_secrets(text))


def _assigned(found: re.Match[str]) -> str:
    if not is_secret_key(found[1]) or found[3].startswith(MASK):
        return found[0]
    return found[0].removesuffix(found[3]) + MASK


def _without_named(text: str) -> str:
    """Mask the values of names that look like secrets."""
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
    """Mask a text with digits and both cases, or a hexadecimal one; keep words and paths."""
    word = found[0]
    kinds = [any(c.isdigit() for c in word), any(c.islower() for c in word)]
    kinds.append(any(c.isupper() for c in word))
    hexadecimal = kinds[0] and re.fullmatch(r"[0-9a-fA-F]+", word) is not None
    return MASK if all(kinds) or hexadecimal else word
