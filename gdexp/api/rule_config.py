"""Update rules and schedules as the overrides that stand for them in a config."""

from __future__ import annotations

from dataclasses import fields

from gdexp.api.object_config import (
    NotPlain,
    ObjectConfig,
    by_path,
    changed_fields,
    lines_of,
    plain,
)
from gdexp.config import literal, shipped_values
from gdexp.core import BadInput
from gdexp.optimizers import RULES, SCHEDULES, Constant, Schedule, TorchSchedule, UpdateRule


def optimizer_config(given: object) -> ObjectConfig:
    """Return what stands for an update rule.

    Args:
        given: an `UpdateRule`, a subclass, a name, an import path, or a list of overrides.

    Raises:
        BadInput: it is none of these, or its values are no arguments of its class.
    """
    if isinstance(given, str):
        if "." in given:
            return ObjectConfig(("optimizer=custom", f"optimizer.path={literal(given)}"))
        return ObjectConfig((given if "=" in given else f"optimizer={given}",))
    if isinstance(given, list | tuple):
        return lines_of("optimizer", given)
    if isinstance(given, type) and issubclass(given, UpdateRule):
        if RULES.get(given.name) is given:
            return ObjectConfig((f"optimizer={given.name}",))
        return by_path("optimizer", "custom", given, {}, given)
    if not isinstance(given, UpdateRule):
        raise BadInput("optimizer", given, "must be an UpdateRule, a name or a list of overrides")
    return _rule(given)


def _rule(rule: UpdateRule) -> ObjectConfig:
    """Return what stands for a rule: its class, its fields and its schedule."""
    cls = type(rule)
    shipped = RULES.get(cls.name) is cls
    own = [each.name for each in fields(rule) if each.init and each.name != "schedule"]
    try:
        values = {key: plain(getattr(rule, key)) for key in own}
        schedule = _schedule(rule.schedule)
    except NotPlain:
        raise BadInput("optimizer", rule, "its values must be numbers, texts or lists") from None
    if shipped:
        known = shipped_values(f"optimizer/{cls.name}")
        given = {k: v for k, v in values.items() if (v if v != {} else None) != known.get(k)}
        lines = (f"optimizer.{key}={literal(value)}" for key, value in given.items())
        return ObjectConfig((f"optimizer={cls.name}", *lines)) + schedule
    changed = changed_fields(rule, "schedule")
    values = {key: value for key, value in values.items() if key in changed}
    lr = values.pop("lr", getattr(rule, "lr", None))
    rate = () if lr is None else (f"optimizer.lr={literal(lr)}",)
    return by_path("optimizer", "custom", cls, values, rule) + ObjectConfig(rate) + schedule


def _schedule(schedule: Schedule) -> ObjectConfig:
    if isinstance(schedule, Constant):
        return ObjectConfig()
    group, cls = "optimizer.schedule", type(schedule)
    values = {each.name: plain(getattr(schedule, each.name)) for each in fields(schedule)}
    if SCHEDULES.get(cls.name) is cls or cls is TorchSchedule:
        lines = (f"{group}.{key}={literal(value)}" for key, value in values.items())
        return ObjectConfig((f"optimizer/schedule={cls.name}", *lines))
    made = by_path(group, "custom", cls, values, schedule)
    return ObjectConfig(("optimizer/schedule=custom", *made.lines[1:]), made.objects)
