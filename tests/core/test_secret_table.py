"""A table of lines decides what counts as a secret: none is missed, and nothing else is masked."""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

import pytest
import yaml

from gdexp.core.learned_secrets import MASK
from gdexp.core.redaction import mask_secrets, mask_source, mask_value
from gdexp.core.secret_finder import has_secret, is_secret

TABLE = Path(__file__).parents[1] / "data" / "secrets"
LETTERS = {
    "x": string.ascii_letters + string.digits,
    "h": "0123456789abcdef",
    "u": string.ascii_uppercase + "234567",
}


def rows(name: str) -> list[tuple[str, str]]:
    """The lines of a table with random letters for `{xN}`: no line of the file is a token."""
    drawn = random.Random(1)

    def letters(found: re.Match[str]) -> str:
        return "".join(drawn.choice(LETTERS[found[1]]) for _ in range(int(found[2])))

    lines = (TABLE / name).read_text().splitlines()
    split = (line.partition(" ") for line in lines if not line.startswith("#"))
    return [(form, re.sub(r"\{([xhu])(\d+)\}", letters, rest)) for form, _, rest in split]


MASKED, LEFT = rows("mask.txt"), rows("leave.txt")


def shown(form: str, text: str) -> str:
    """What is left of a line."""
    if form == "key":
        key, _, value = text.partition(" ")
        return f"{key} {mask_value(key, value)}"
    return mask_source(text) if form == "source" else mask_secrets(text)


def test_the_table_is_long_enough() -> None:
    assert len(MASKED) >= 100
    assert len(LEFT) >= 300


@pytest.mark.slow
@pytest.mark.parametrize(("form", "line"), MASKED)
def test_a_secret_is_masked(form: str, line: str) -> None:
    secret = line.partition("«")[2].partition("»")[0]
    text = line.replace("«", "").replace("»", "")
    found = shown(form, text)
    if len(secret) < 4:  # letters that may stand elsewhere too
        assert found == line.replace(f"«{secret}»", MASK)
    assert MASK in found
    assert len(secret) < 4 or secret not in found
    assert shown(form, found) == found
    assert form == "source" or has_secret(text) or is_secret(*text.split(" ", 1))


@pytest.mark.slow
@pytest.mark.parametrize(("form", "line"), LEFT)
def test_what_is_none_is_left(form: str, line: str) -> None:
    if form != "key":
        assert form == "source" or not has_secret(line)
        assert shown(form, line) == line
        return
    key, _, text = line.partition(" ")
    value = yaml.safe_load(text)
    assert not is_secret(key, value)
    assert not has_secret(str(value))
    assert "?" in text or mask_value(key, value) == value  # no query of an address is ever shown
