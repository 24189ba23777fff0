"""Keys and values in Markdown, escaped so that neither can break the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gdexp.core import format_value
from gdexp.tracking import inert

PLAIN_KEY = re.compile(r"[\w./-]+")


def markdown_parameters(parameters: Mapping[str, Any]) -> str:
    """Return keys with their values: `` `optimizer.lr` = 0.5, … ``."""
    return ", ".join(
        f"{markdown_key(key)} = {inert(format_value(value))}" for key, value in parameters.items()
    )


def markdown_key(key: str) -> str:
    """Return a key as code, or as escaped text if it has characters that code cannot hold."""
    return f"`{key}`" if PLAIN_KEY.fullmatch(key) else inert(key)
