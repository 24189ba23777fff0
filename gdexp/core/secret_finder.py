"""Find the secrets in a text: in values, addresses, messages, command lines and sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from gdexp.core import secret_patterns as patterns
from gdexp.core.secret_words import is_secret_key, is_strong_word

Span = tuple[int, int]
"""Where a secret begins and ends in its text."""


def is_secret(key: str, value: object) -> bool:
    """Return whether a value may not be stored or shown because of its key.

    A bare `key` says nothing, as in `sort: {key: name}`; there the value must look like a secret.
    """
    if value in ("", None) or isinstance(value, bool):
        return False
    if is_secret_key(key):
        return True
    return re.split(r"[./]", key)[-1].lower() == "key" and _is_key(str(value))


def has_secret(text: str) -> bool:
    """Return whether a text holds what must not be stored, under any key."""
    return next(find_secrets(text), None) is not None


def find_secrets(text: str) -> Iterator[Span]:
    """Yield where the secrets of a text are, in no order; they may overlap.

    These are: user and password of an address, secret parameters of a query, tokens of well-known
    services, private keys, values under names that announce a secret, headers and options of a
    command line that hold one.
    """
    for found in patterns.USERINFO.finditer(text):
        if found[1] != "git" and found[1].strip("*"):
            yield found.span(1)
    for found in patterns.KEY_BLOCK.finditer(text):
        if found[1].strip("*"):
            yield found.span(1)
    yield from (each.span() for each in patterns.TOKEN.finditer(text))
    yield from (
        each.span(2) for each in patterns.SCHEME.finditer(text) if _is_proof(*each.groups())
    )
    yield from (each.span(1) for each in patterns.KEY.finditer(text) if _is_key(each[1]))
    for pattern, announces in _NAMED_VALUES:
        yield from _values(pattern, announces, text)
    yield from _of_programs(text)


def find_in_source(text: str) -> Iterator[Span]:
    """Yield where the secrets of a source may be: more than `find_secrets` yields.

    These are also the rest of a line after a name that announces a secret, and long runs of mixed
    letters and digits. It is better to mask a harmless word than to leave a secret.
    """
    yield from find_secrets(text)
    yield from (each.span() for each in patterns.LONG.finditer(text) if _is_long_key(each[0]))
    end = 0
    for found in patterns.SOURCE.finditer(text):
        begin = found.end()
        if begin < end or not is_secret_key(found[1]):
            continue
        begin = _after_type(text, begin)
        rest = patterns.REST.match(text, begin)
        if rest is None or _is_harmless(found[1], rest[0]) or _is_code(text, begin):
            continue
        end = rest.end()
        yield begin, end


def assigned_values(text: str) -> Iterator[str]:
    """Yield the values of a text that stand under names that announce a secret."""
    for begin, end in _values(patterns.ASSIGNED, is_secret_key, text):
        yield text[begin:end].strip("'\"")


def without_spans(text: str, spans: Iterator[Span], mask: str) -> str:
    """Return a text with a mask in the place of each span; spans that touch become one mask."""
    kept, end = [], 0
    for begin, after in _merged(spans):
        kept += [text[end:begin], mask]
        end = after
    return "".join([*kept, text[end:]])


def _merged(spans: Iterator[Span]) -> list[Span]:
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        elif begin < end:
            found.append((begin, end))
    return found


def _in_query(name: str) -> bool:
    return is_secret_key(name) or patterns.QUERY_WORD.fullmatch(name) is not None


def _always(name: str) -> bool:
    return True


_NAMED_VALUES: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (patterns.HEADER, _always),
    (patterns.ASSIGNED, is_secret_key),
    (patterns.PARAMETER, _in_query),
    (patterns.LINE, is_secret_key),
    (patterns.BLOCK, is_secret_key),
    (patterns.PAIR, is_secret_key),
    (patterns.OPTION, is_secret_key),
    (patterns.MARKUP, is_secret_key),
    (patterns.SQL, _always),
    (patterns.QUOTED, is_strong_word),
    (patterns.STATED, is_strong_word),
)
"""Patterns of a name (first group) and its value (second group), and which names count."""


def _values(
    pattern: re.Pattern[str], announces: Callable[[str], bool], text: str
) -> Iterator[Span]:
    """Yield the values of the names that announce a secret."""
    for found in pattern.finditer(text):
        if not announces(found[1]):
            continue
        if pattern is patterns.ASSIGNED:
            if "@" in found[1] and found[0].endswith(":"):  # user@host:port, not a name
                continue
            assigned = patterns.VALUE.match(text, found.end())
            if assigned is None:
                continue
            begin, end = assigned.span()
        else:
            begin, end = found.span(2)
        begin = _after_type(text, begin)
        value = text[begin:end].rstrip(",;")
        if not (_is_harmless(found[1], value) or _is_code(text, begin)):
            yield begin, begin + len(value)


def _is_harmless(name: str, value: str) -> bool:
    """Return whether a value is nothing, a placeholder, or a count behind a weak word."""
    if patterns.PLAIN.fullmatch(value.strip()):
        return True
    return patterns.COUNT.match(value) is not None and not is_strong_word(name)


def _after_type(text: str, begin: int) -> int:
    """Return where the value begins, behind a type as in `token: str = "…"`."""
    found = patterns.TYPED.match(text, begin)
    return begin if found is None else found.end()


def _is_code(text: str, begin: int) -> bool:
    """Return whether what begins here is a type, a call or a variable, and no text."""
    code = (patterns.READ, patterns.CALL, patterns.TYPE)
    return any(each.match(text, begin) for each in code)


def _of_programs(text: str) -> Iterator[Span]:
    """Yield the passwords among the options of programs."""
    for name, option in patterns.PROGRAMS:
        for found in name.finditer(text):
            line = patterns.COMMAND.match(text, found.end())
            end = line.end() if line is not None else found.end()
            for value in option.finditer(text, found.end(), end):
                if value[1].strip("*"):
                    yield value.span(1)


def _is_proof(scheme: str, word: str) -> bool:
    """Return whether the word after `Bearer` or `Basic` is none of a sentence."""
    signs = r"[0-9]|[a-z][A-Z]|\w[._~+/=-]\w" if scheme.lower() == "bearer" else r"[0-9]|[a-z][A-Z]"
    return bool(re.search(signs, word)) or len(word) >= 24


def _is_key(word: str) -> bool:
    """Return whether a word looks like an access key and not like a name."""
    if len(word) < 10 or not re.search("[0-9]", word) or not re.search("[A-Za-z]", word):
        return False
    changes = len(re.findall(r"(?<=[0-9])[A-Za-z]|(?<=[A-Za-z])[0-9]", word))
    return changes >= 3 or (len(word) >= 12 and not re.search(r"[\s_./:]", word))


def _is_long_key(word: str) -> bool:
    """Return whether a word has digits and both cases, or is hexadecimal; no name has."""
    lower, upper = any(c.islower() for c in word), any(c.isupper() for c in word)
    hexadecimal = (lower or upper) and re.fullmatch(r"[0-9a-fA-F]+", word) is not None
    return any(c.isdigit() for c in word) and ((lower and upper) or hexadecimal)
