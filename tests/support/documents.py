"""The README and the pages of the site as a reader sees them: blocks of code, in their order."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
ANNOUNCED = re.compile(r"Save this as `([\w/]+\.\w+)`[^`\n]*:$")
LEAD = ["python", "-m", "gdexp"]


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        language: after the three backticks.
        text: all of it, comments included, as it is copied.
        name: of the file that it is to be saved as; empty for what is run or shown.
    """

    language: str
    text: str
    name: str = ""


def blocks(document: str) -> list[Block]:
    """The blocks of a document in their order."""
    found = []
    for match in FENCE.finditer(document):
        above = document[: match.start()].rstrip().rsplit("\n", 1)[-1]
        name = ANNOUNCED.search(above)
        text = textwrap.dedent(match[3])
        found.append(Block(match[2], text, name[1] if name else ""))
    return found


def prose(document: str) -> str:
    """A document without its blocks."""
    return FENCE.sub("", document)


def lines(document: str) -> Iterator[str]:
    """The lines that are typed into a shell: those of `sh`, and after `$ ` in `text`."""
    for block in blocks(document):
        for line in block.text.splitlines():
            if block.language == "sh":
                yield line
            elif block.language == "text" and line.startswith("$ "):
                yield line.removeprefix("$ ")


def inline_commands(document: str) -> list[str]:
    """Every `python -m gdexp …` in running text."""
    found = re.findall(r"`(python -m gdexp(?: [^`\n]*)?)`", prose(document))
    return [line for line in dict.fromkeys(found) if "…" not in line]


def is_plain(line: str) -> bool:
    """Whether every shell reads a line as words: no comments, patterns, variables or pipes."""
    bare = re.sub(r"'[^']*'", "", line)
    return bool(line.strip()) and not re.search(r"[][#*?{}()~$`;&|<>!\"\\]", bare)


def words(line: str) -> list[str]:
    """The words of a line, with those that lead to gdexp in one form."""
    given = shlex.split(line)
    return [*LEAD, *given[1:]] if given[:1] == ["scripts/run"] else given


def slug(heading: str) -> str:
    """The anchor of a heading, on the site and on pages of a Git host."""
    text = re.sub(r"[`*\\]", "", heading).strip().lower()
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", text))


def anchors(page: Path) -> set[str]:
    """The anchors of a page."""
    text = prose(page.read_text(encoding="utf-8"))
    return {slug(each) for each in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}
