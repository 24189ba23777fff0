"""Lists of problems, as `gdexp.sweep` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gdexp.api.object_config import ObjectConfig, plain, problem_config
from gdexp.config import literal, parse_overrides
from gdexp.core import BadInput


def listed_config(key: str, given: Sequence[object] | None) -> ObjectConfig:
    """Return what stands for a list of problems.

    Args:
        key: of `sweep`.
        given: the problems; None: no list.

    Raises:
        BadInput: one of them is none.
    """
    if given is None:
        return ObjectConfig()
    if not isinstance(given, list | tuple):
        raise BadInput(key, given, "must be a list of problems")
    entries, objects = [], dict[str, object]()
    for each in given:
        if isinstance(each, Mapping):
            entries.append(plain(each))
            continue
        found = problem_config(each)
        keys = {o.get_key_element(): o.value() for o in parse_overrides(found.lines)}
        name = keys.pop("problem", None)
        if name is None or not all(own.startswith("problem.") for own in keys):
            raise BadInput(key, each, "must be a problem by itself, without other settings")
        entries.append({"name": name, **{k.removeprefix("problem."): v for k, v in keys.items()}})
        objects |= found.objects
    return ObjectConfig((f"sweep.{key}={literal(entries)}",), objects)
