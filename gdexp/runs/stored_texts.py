"""Params and tags of a run as texts: bounded, and read as numbers and values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

MOST_TEXTS, LONGEST_KEY, LONGEST_TEXT = 5_000, 250, 8_000
"""The most tags or params of a run, and the most characters of a name and of a value."""


def stored_count(text: str) -> int | None:
    """Return the count that a stored text holds; None if it holds none."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def bounded_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Return tags or params of a store with bounds: MLflow's own writers keep within them."""
    kept = islice(texts.items(), MOST_TEXTS)
    return {str(key)[:LONGEST_KEY]: str(value)[:LONGEST_TEXT] for key, value in kept}


def param_value(text: str) -> Any:  # noqa: ANN401
    """Return a param's text as a number, list, bool or None if it is JSON; else the text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


PARAMS_TAG = "gdexp.params"
"""The tag with gdexp's params of a run that another application started itself."""


def tagged_params(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the params that a tag holds; none where it holds something else."""
    found = param_value(tags.get(PARAMS_TAG, ""))
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        return {}
    return bounded_texts(found)
