"""What the command line and the sweep's file say of the space, and the files of swept groups."""

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
    """The config that every trial starts from, and what the trials change in it.

    A range on the command line joins the space of the sweep's file, or takes the place of one
    there; a plain value takes its key out of it. Each file of a swept group is composed once,
    with the plain values that it has keys for.

    Args:
        overrides: of the whole command line.
        compose: overrides without ranges to a plain, checked config.

    Raises:
        BadInput: a key that cannot be swept, or that nothing has.
    """
    swept = {_key(o): o for o in overrides if o.is_sweep_override()}
    plain = [o for o in overrides if not o.is_sweep_override()]
    for key, override in swept.items():
        _check_swept(key, override)
    # Values inside a group are looked at when it is known whether the group itself is swept.
    outer = [o for o in plain if _group_of(_key(o)) is None]
    inner = {_key(o): o for o in plain if _group_of(_key(o)) is not None}
    base = compose(_lines(outer))
    by_file = _by_file(base, plain)
    given = {key: parse(key, value) for key, value in by_file.items()}
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
        given = {k: d for k, d in given.items() if not _own(k, key, variants)}
    for key in swept:
        given = {k: d for k, d in given.items() if k in swept or not _own(k, key, variants)}
    for group in groups:
        path = group.replace("/", ".")
        base = config.with_group(base, path, variants[group][chosen[group]])
    return base, Space.build(list(given.values()), variants)


def _by_file(base: Mapping[str, Any], plain: Sequence[Override]) -> dict[str, Any]:
    """The space of the sweep's file without the keys that the command line gives one value."""
    space = base["sweep"].get("space")
    if space is not None and not isinstance(space, Mapping):
        raise BadInput("sweep.space", space, "must map keys to ranges: {optimizer.lr: …}")
    given = config.flatten(space or {})
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


def _left_out(key: str, by_file: Mapping[str, Dimension], ranged: Mapping[str, Dimension]) -> bool:
    """Whether a key is of a choice that the file has and the command line's choices lack."""
    for group in GROUPS:
        if group in by_file and group in ranged and _under(key, group):
            choice = key.removeprefix(group.replace("/", ".") + ".").partition(".")[0]
            left = {*(by_file[group].choices or ())} - {*(ranged[group].choices or ())}
            return choice in left
    return False


def _files(
    group: str, dimension: Dimension, outer: Sequence[Override], compose: Compose
) -> dict[str, config.Config]:
    """Each choice of a swept group, composed."""
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
    """The files of the group that a key is in, with a plain value wherever they have the key."""
    group = next(g for g in sorted(variants, key=len, reverse=True) if _under(key, g))
    path, files = group.replace("/", "."), variants[group]
    inner = key.removeprefix(f"{path}.")
    choice, _, own = inner.partition(".")
    names = [choice] if own and choice in files else list(files)
    inner = own if names == [choice] else inner
    having = [name for name in names if config.has(files[name], inner)]
    if not having:
        known = [f"{path}.{k}" for file in files.values() for k in config.flatten(file)]
        raise BadInput(key, value, f"no swept {group} has it; {nearest(key, known)}")
    changed = {name: config.with_values(files[name], {inner: value}) for name in having}
    return {**variants, group: {**files, **changed}}


def _own(name: str, key: str, variants: Variants) -> bool:
    """Whether a dimension of one choice stands for a key that has a plain value."""
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
    """The group that a key lies in, when it is one of those that can be swept."""
    return next((g for g in GROUPS if _under(key, g)), None)


def _under(key: str, group: str) -> bool:
    return key.startswith(group.replace("/", ".") + ".")


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [str(o.input_line) for o in overrides]


def _key(override: Override) -> str:
    return str(override.get_key_element()).lstrip("+~")
