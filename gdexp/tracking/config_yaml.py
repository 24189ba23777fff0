"""Writing a config as YAML, ten times as fast as OmegaConf and read back equal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

PLAIN = re.compile(r"[A-Za-z_][A-Za-z_/-]*([.][A-Za-z_]+)*")
"""Texts that no YAML reader takes for a number or a date. PyYAML itself quotes `yes` and `no`."""


def config_yaml(composed: Mapping[str, Any]) -> bytes:
    """Return a config as YAML that OmegaConf and PyYAML read back equal.

    Args:
        composed: plain containers.
    """
    import yaml  # type: ignore[import-untyped]

    text: str = yaml.dump(
        dict(composed),
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
    )
    return text.encode()


@cache
def _dumper() -> type[Any]:
    import yaml

    base: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:  # noqa: ANN401
        # OmegaConf and PyYAML disagree about which texts are numbers (1e-5): quote all but words.
        style = None if PLAIN.fullmatch(value) else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
