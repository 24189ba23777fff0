"""The vocabulary of secrets: which names of keys, variables and options announce one."""

from __future__ import annotations

import re
from functools import lru_cache

STRONG = re.compile(
    r"(?:password|passwd|passwort|passphrase|passcode|pwd|secret|credential|apikey)s?"
)
"""Words that announce a secret wherever they end a word (PGPASSWORD) and whatever follows them."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


WEAK = _set(
    """token auth oauth authorization bearer jwt cookie cookies pw pass psk sas cred creds
    authtoken accesstoken apitoken bearertoken refreshtoken sastoken sessionid"""
)
"""Words that announce a secret where they are the noun of the name: `hf_token`, not `token_dim`."""

KEYS = _set(
    """api access account private secret session signing signature encryption auth ssh ssl tls
    master storage shared subscription license service app application client consumer deploy
    webhook hmac aes rsa gpg pgp server"""
)
"""Words that make a secret of `key` or `keys` behind them; `sort_key` is none."""

MEASURES = _set(
    """dim dims size sizes length len count counts num number min max limit policy strength
    required enabled disabled expired age ttl timeout expires expiry rotation prompt hint field
    file files path paths dir folder manager type kind rules"""
)
"""Nouns behind a strong word that say something of a secret and do not hold it."""

NEUTRAL = _set(
    """value values string str text raw plain b64 base64 hex env prod production staging stage dev
    test live local remote old new current previous backup default primary secondary main admin
    root user id github gitlab openai huggingface hf aws gcp azure slack db"""
)
"""Words behind the noun that change nothing: `token_prod`, `api_key_old`."""

PASSES = _set(
    """forward backward fwd bwd low high band all first second third last single double one two
    multi n num by per each every warmup training eval did does no not is will must to data full
    initial final next previous this min max"""
)
"""Words that give `pass` behind them another sense: `forward_pass`."""

_TOKENIZER = re.compile(r"(?:^|_)tokens?_(?:type_)?ids?$")  # pad_token_id
_PARTS = re.compile(r"[./\[\]:+~@ ]+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")


@lru_cache(4096)
def is_secret_key(key: str) -> bool:
    """Return whether a name looks like that of a secret: `api_key`, `db.password`, `DB_PASS`.

    Words are matched as whole words, in any way of writing: `apiKey`, `API-KEY`, `api_key_2`.
    """
    *outer, last = [part for part in _PARTS.split(key[-1000:]) if part] or [""]
    return _is_secret(_words(last)) or any(_is_strong(_words(part)) for part in outer)


def is_strong_word(name: str) -> bool:
    """Return whether a name announces a secret even in a sentence: `password`, not `token`."""
    return _is_strong(_words(name))


def _words(part: str) -> list[str]:
    """Return the words of a name in lower case, without the numbers behind them."""
    found = _WORD.findall(_HUMPS.sub("_", part).lower())
    plain = [word if word in NEUTRAL else word.rstrip("0123456789") for word in found]
    return [word for word in plain if word]


def _is_strong(words: list[str]) -> bool:
    """Return whether a word announces a secret, and the last one is no measure of it."""
    if not words or (len(words) > 1 and words[-1] in MEASURES):
        return False
    return any(match.end() == len(word) for word in words for match in STRONG.finditer(word))


def _is_secret(words: list[str]) -> bool:
    if _is_strong(words):
        return True
    noun = words
    while len(noun) > 1 and noun[-1] in NEUTRAL:
        noun = noun[:-1]
    if not noun or _TOKENIZER.search("_".join(words)):
        return False
    *before, word = noun
    if word in ("key", "keys"):
        return bool(before) and before[-1] in KEYS
    if word == "pass":
        return not before or before[-1] not in PASSES
    return word in WEAK or any(word == f"{each}key" for each in KEYS)
