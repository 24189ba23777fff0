"""Markdown from plain text: tables, and docstrings in Google's style."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Sequence

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises")

CODE = re.compile(r"(`[^`]*`)")

SPECIAL = {"&": "&amp;", "<": "&lt;", "*": r"\*", "|": "&#124;", "[": r"\["}
"""What Markdown or HTML would not show as it stands."""


def escaped(text: str) -> str:
    """Return plain text for Markdown; what stands between backticks stays as it is."""
    parts = CODE.split(text)
    return "".join(part if part[:1] == "`" else _escaped(part) for part in parts)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |\n" for line in lines)


def code(text: object) -> str:
    """Return a text as code; nothing for an empty one."""
    shown = str(text)
    return f"`{shown}`" if shown else ""


def first_sentence(docstring: str | None) -> str:
    """Return the first paragraph of a docstring as one line of Markdown."""
    return escaped(" ".join(inspect.cleandoc(docstring or "").partition("\n\n")[0].split()))


def from_docstring(docstring: str | None) -> str:
    """Return a docstring as Markdown; its sections become lists, and literal blocks code."""
    found: list[str] = []
    for block in _blocks(inspect.cleandoc(docstring or "")):
        head, _, body = block.partition("\n")
        if head.removesuffix(":") in SECTIONS and head.endswith(":"):
            found.append(f"**{head}**\n\n{_section(textwrap.dedent(body))}")
        elif block.startswith("    "):
            shown = textwrap.dedent(block)
            whole = shown.startswith(("from ", "import "))  # else an outline, not to be run
            found.append(f"```{'python' if whole else 'text'}\n{shown}\n```")
        elif re.match(r"\s*- ", block):
            found.append(escaped(block))
        else:
            found.append(_paragraph(block))
    return "\n\n".join(each for each in found if each) + "\n"


def _paragraph(block: str) -> str:
    """Return a paragraph; `::` before a literal block is a colon, and alone nothing."""
    text = " ".join(block.split())
    if text == "::":
        return ""
    return escaped(text[:-1] if text.endswith("::") else text)


def _blocks(text: str) -> list[str]:
    """Return the parts that empty lines divide; literal blocks and sections stay whole."""
    blocks: list[str] = []
    for part in re.split(r"\n\s*\n", text):
        goes_on = blocks and part.startswith("    ")
        if goes_on and (blocks[-1].startswith("    ") or _is_section(blocks[-1])):
            blocks[-1] += f"\n\n{part}"
        else:
            blocks.append(part)
    return blocks


def _is_section(block: str) -> bool:
    head = block.partition("\n")[0]
    return head.endswith(":") and head[:-1] in SECTIONS


def _section(body: str) -> str:
    """Return a list with an item for each `name: text`; other text is a paragraph."""
    items = [" ".join(each.split()) for each in re.split(r"\n(?=\S)", body)]
    if not all(re.match(r"[\w*, .]+: ", item) for item in items):
        return escaped(" ".join(items))
    pairs = (item.partition(": ") for item in items)
    return "\n".join(f"- {code(name)}: {escaped(text)}" for name, _, text in pairs)


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text)
