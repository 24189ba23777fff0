"""The search space from the command line and the sweep's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdexp import config
from gdexp.core import BadInput, nearest
from gdexp.sweeps.space.dimension import GROUPS, Dimension, from_override, parse
from gdexp.sweeps.space.space import Space, Variants

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

Compose = Callable[[list[str]], config.Config]

SWEPT_GROUPS = ("problem", "optimizer", "stopping", "seed", "dtype", "device")


def compose_space(overrides: Sequence[Override], compose: Compose) -> tuple[config.Config, Space]:
    """Return the config that every trial starts from, and the space of what trials change in it.

    A range on the command line is added to the space of the sweep's file, or replaces the range
    of its key there. A plain value removes its key from the space. Each file of a swept group is
    composed once, with those plain values that it has keys for.

    Args:
        overrides: of the whole command line.
        compose: makes a plain, checked config from overrides without ranges.

    Raises:
        BadInput: a key that cannot be swept, or that does not exist.
    """
    swept = {_key(o): o for o in overrides if o.is_sweep_override()}
    plain = [o for o in overrides if not o.is_sweep_override()]
    for key, override in swept.items():
        _check_swept(key, override)
    # Values inside a group have to wait until it is known whether the group itself is swept.
    outer = [o for o in plain if _group_of(_key(o)) is None]
    inner = {_key(o): o for o in plain if _group_of(_key(o)) is not None}
    base = compose(_lines(outer))
    file_space = _file_space(base, plain)
    given = {key: parse(key, value) for key, value in file_space.items()}
    ranged = {key: from_override(key, override) for key, override in swept.items()}
    given = {key: d for key, d in given.items() if not _left_out(key, given, ranged)} | ranged
    for key in inner:
        given.pop(key, None)

    groups = [key for key in GROUPS if key in given]
    if not groups:
        return (compose(_lines(plain)) if inner else base), Space.build(list(given.values()), {})
    variants: Mapping[str, Mapping[str, dict[str, Any]]] = {
        group: _files(group, given[group], outer, compose) for group in groups
    }
    fixed = {
        key: override.value()
        for key, override in inner.items()
        if any(_under(key, group) for group in groups)
    }
    rest = [o for key, o in inner.items() if key not in fixed]
    chosen = {group: str((given[group].choices or ("",))[0]) for group in groups}
    base = compose(_lines([*outer, *rest]) + [f"{g}={name}" for g, name in chosen.items()])
    for key, value in fixed.items():
        variants = _with_fixed(variants, key, value)
        given = {k: d for k, d in given.items() if not _is_for_key(k, key, variants)}
    for key in swept:
        given = {k: d for k, d in given.items() if k in swept or not _is_for_key(k, key, variants)}
    for group in groups:
        path = group.replace("/", ".")
        base = config.with_group(base, path, variants[group][chosen[group]])
    return base, Space.build(list(given.values()), variants)


def _file_space(base: Mapping[str, Any], plain: Sequence[Override]) -> dict[str, Any]:
    """Return the space of the sweep's file without keys that the command line sets to a value."""
    space = base["sweep"].get("space")
    if space is not None and not isinstance(space, Mapping):
        raise BadInput("sweep.space", space, "must map keys to ranges: {optimizer.lr: …}")
    given = config.flatten(space or {})
    if base["problem"].get("name") == "loop":  # it has an optimizer of its own
        given = {key: each for key, each in given.items() if not key.startswith("optimizer")}
    if base["stopping"].get("metric", "loss") != "loss":  # its range is of losses
        given.pop("stopping.threshold", None)
    fixed = {_key(o): o for o in plain}
    for group in GROUPS:
        if group not in given or group not in fixed:
            continue
        path, choice = group.replace("/", "."), str(fixed[group].value())
        choices = [str(name) for name in parse(group, given.pop(group)).choices or ()]
        for key in [key for key in given if _under(key, group)]:
            name, _, inner = key.removeprefix(f"{path}.").partition(".")
            expression = given[key]
            if inner and name in choices:
                del given[key]
                if name == choice:
                    given[f"{path}.{inner}"] = expression
            elif f"{path}.{choice}.{name}" in given or not config.has(base, key):
                del given[key]
    return {key: value for key, value in given.items() if key not in fixed}


def _left_out(
    key: str, file_space: Mapping[str, Dimension], ranged: Mapping[str, Dimension]
) -> bool:
    """Whether a key belongs to a choice of the file that the command line's choices leave out."""
    for group in GROUPS:
        if group in file_space and group in ranged and _under(key, group):
            choice = key.removeprefix(group.replace("/", ".") + ".").partition(".")[0]
            left_out = {*(file_space[group].choices or ())} - {*(ranged[group].choices or ())}
            return choice in left_out
    return False


def _files(
    group: str, dimension: Dimension, outer: Sequence[Override], compose: Compose
) -> dict[str, config.Config]:
    """Return the composed file of each choice of a swept group."""
    if dimension.choices is None:
        raise BadInput(f"sweep.space.{group}", dimension.text(), "must be choice(…) of its files")
    lines = _lines([o for o in outer if _key(o) != group])
    files = {}
    for name in dimension.choices:
        if not isinstance(name, str):
            raise BadInput(f"sweep.space.{group}", name, "must be the name of one of its files")
        composed = compose([*lines, f"{group}={name}"])
        files[name] = dict(config.lookup(composed, group.replace("/", ".")))
    return files


def _with_fixed(variants: Variants, key: str, value: object) -> Variants:
    """Return the variants with a plain value in every file that has the key."""
    group = next(g for g in sorted(variants, key=len, reverse=True) if _under(key, g))
    path, files = group.replace("/", "."), variants[group]
    inner = key.removeprefix(f"{path}.")
    choice, _, own = inner.partition(".")
    names = [choice] if own and choice in files else list(files)
    inner = own if names == [choice] else inner
    having = [name for name in names if config.has(files[name], inner)]
    if not having:
        keys = [f"{path}.{k}" for file in files.values() for k in config.flatten(file)]
        raise BadInput(key, value, f"no swept {group} has it; {nearest(key, keys)}")
    changed = {name: config.with_values(files[name], {inner: value}) for name in having}
    return {**variants, group: {**files, **changed}}


def _is_for_key(name: str, key: str, variants: Variants) -> bool:
    """Whether a dimension, perhaps of one choice only, is for a key that has a plain value."""
    for group, files in variants.items():
        path = group.replace("/", ".")
        if _under(key, group) and _under(name, group):
            choice, _, inner = name.removeprefix(f"{path}.").partition(".")
            if choice in files and inner == key.removeprefix(f"{path}."):
                return True
    return name == key


def _check_swept(key: str, override: Override) -> None:
    value = str(override.input_line).partition("=")[2]
    if key.partition(".")[0].partition("/")[0] not in SWEPT_GROUPS:
        raise BadInput(key, value, f"cannot be swept; only {', '.join(SWEPT_GROUPS)} can")
    if ("/" in key or key in ("stopping",)) and key not in GROUPS:
        raise BadInput(key, value, f"cannot be swept whole; only {', '.join(GROUPS)} can")


def _group_of(key: str) -> str | None:
    """Return the sweepable group that a key belongs to; None if there is none."""
    return next((g for g in GROUPS if _under(key, g)), None)


def _under(key: str, group: str) -> bool:
    return key.startswith(group.replace("/", ".") + ".")


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [str(o.input_line) for o in overrides]


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+~")
