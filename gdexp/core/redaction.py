"""Masking of secrets in what is shown or stored.

Values of environment variables are masked too, when a config used them or when their names look
like secrets. Errors and log records pass through `mask_secrets` before a person sees them, so text
that a library quotes is covered. Source texts pass through `mask_source` before they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from gdexp.core.learned_secrets import MASK, LearnedSecrets, current_secrets
from gdexp.core.secret_finder import find_in_source, find_secrets, is_secret, without_spans
from gdexp.core.secret_patterns import QUERY


def mask_secrets(text: str, learned: LearnedSecrets | None = None) -> str:
    """Return the text with `***` for every secret in it, and for the query of every address.

    Args:
        text: any text.
        learned: the secrets that a command learned; None: those of the running command.
    """
    text = _without_learned(text, learned)
    text = without_spans(text, find_secrets(text), MASK)
    return without_spans(text, (each.span(1) for each in QUERY.finditer(text)), MASK)


def mask_value(key: str, value: object) -> object:
    """Return the value of a config key without secrets; containers keep their shape."""
    if isinstance(value, Mapping):
        return {each: mask_value(str(each), item) for each, item in value.items()}
    if is_secret(key, value):
        return MASK
    if isinstance(value, list | tuple):
        return [mask_value("", item) for item in value]
    return mask_secrets(value) if isinstance(value, str) else value


def mask_source(text: str) -> str:
    """Return a source text that may be stored: what looks like a secret becomes `***`.

    This masks more than `mask_secrets`; see `find_in_source`.
    """
    text = _without_learned(text, None)
    return mask_secrets(without_spans(text, find_in_source(text), MASK))


def _without_learned(text: str, learned: LearnedSecrets | None) -> str:
    learned = learned or current_secrets()
    return text if learned is None else learned.mask(text)
