"""Definitions of studies that several versions of gdexp stored, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdexp import config


def comparable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition without the keys that mean what happened before there were such keys."""
    bare = config.without_earlier_meaning
    others = {key: value for key, value in definition.items() if key not in ("config", "files")}
    files = {
        group: {name: bare(file, f"{group.replace('/', '.')}.") for name, file in named.items()}
        for group, named in definition.get("files", {}).items()
    }
    # The order of the keys is that of the earliest version, and does not matter.
    return {"config": bare(definition.get("config", {})), **bare(others), "files": files}
