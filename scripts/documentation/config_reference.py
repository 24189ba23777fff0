"""The pages of config keys, problems, update rules and ready sweeps, made from `conf/`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from documentation import config_files
from documentation.allowed_values import allowed
from documentation.config_files import ConfigFile, Key
from documentation.markdown import code, escaped, first_sentence, table
from gdexp import Quadratic, Stopping, TorchSchedule, Transformed, best_lr
from gdexp.cli.certify import CertifySettings
from gdexp.cli.compare import CompareSettings
from gdexp.cli.delete import DeleteSettings
from gdexp.cli.export import ExportSettings
from gdexp.cli.inspect import InspectSettings
from gdexp.cli.rerun import RerunSettings
from gdexp.cli.resume import ResumeSettings
from gdexp.config import shipped
from gdexp.core import validation
from gdexp.descent.portable.choice import ENGINES
from gdexp.experiment import CheckpointSettings
from gdexp.optimizers import RULES, GradientDescent
from gdexp.optimizers.registry import custom_rule
from gdexp.optimizers.schedule_registry import SCHEDULES, custom_schedule, one_cycle
from gdexp.problems import PROBLEMS
from gdexp.suite import BenchmarkSettings
from gdexp.sweeps.settings import SweepSettings
from gdexp.theory import stability_limit
from gdexp.tracking import TrackingSettings
from gdexp.training import UpdateSettings

Build = Callable[..., object]

SETTINGS: Mapping[str, Build] = {
    "stopping": Stopping,
    "tracking": TrackingSettings,
    "checkpoint": CheckpointSettings,
    "sweep": SweepSettings,
    "rerun": RerunSettings,
    "resume": ResumeSettings,
    "delete": DeleteSettings,
    "compare": CompareSettings,
    "export": ExportSettings,
    "inspect": InspectSettings,
    "certify": CertifySettings,
    "benchmark": BenchmarkSettings,
}
"""The class that checks each group of `conf/`; a group without one is shown without ranges."""

FIRST = ("stopping", "tracking", "checkpoint", "sweep")
"""The groups that come first; the commands' groups follow."""

CHOICES = ("problem", "optimizer", "experiment")
"""Groups of which one file is chosen; the keys differ between the files."""

BY_NAME: Mapping[str, Build] = {**RULES, "custom": custom_rule}
SCHEDULES_BY_NAME: Mapping[str, Build] = {
    **SCHEDULES,
    "custom": custom_schedule,
    "onecycle": one_cycle,
    "torch": TorchSchedule,
}

PLACEHOLDERS = ("package.module", "RUN_ID", "train.Net")
"""Words of commands that stand for what only the reader has."""

HEADER = ("key", "default", "allowed", "meaning")


def top(seed: object = 0, dtype: object = "float32", engine: object = "auto") -> None:
    """Check the keys outside of all groups."""
    validation.integer("seed", seed)
    validation.dtype(dtype)
    validation.choice("engine", engine, ENGINES)


def transformed(rotation_seed: int | None = None, shift: object = None) -> None:
    """Check the keys that every problem has."""
    Transformed(Quadratic(), rotation_seed, shift)


def config_keys() -> str:
    """Return the page of all config keys."""
    conf = shipped()
    groups = sorted({path.parent.name for path in conf.glob("*/default.yaml")} - {*CHOICES})
    groups.sort(key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    parts = [
        "# Config keys\n",
        "Type `KEY=VALUE`. `python -m gdexp --cfg job` shows every key with its value and runs "
        "nothing. The keys of a problem, a rule and a schedule are on the pages of "
        "[problems](problems.md) and [update rules](rules.md). This page is made from `conf/` and "
        "from the errors of the program.\n",
        "## Choices and single keys\n",
        _choices(conf),
        _keys(config_files.read(conf / "config.yaml"), "", top),
    ]
    for name in groups:
        file = config_files.read(conf / name / "default.yaml")
        parts += [_heading(name), _intro(file), _keys(file, name, SETTINGS.get(name))]
    return "\n".join(parts)


def ready_sweeps() -> str:
    """Return the table of the files of `conf/sweep/`."""
    files = [config_files.read(path) for path in _files(shipped() / "sweep")]
    rows = [[code(_choice("+sweep", file.path)), escaped(_sentence(file.text))] for file in files]
    return table(("ready sweep", "what it does"), rows)


def experiments() -> str:
    """Return the table of the files of `conf/experiment/`."""
    files = [config_files.read(path) for path in _files(shipped() / "experiment")]
    rows = [[code(f"experiment={file.path.stem}"), escaped(file.text)] for file in files]
    return table(("experiment", "what it does"), rows)


def problems() -> str:
    """Return the page of all problems: what is known of each, and their keys."""
    rule, rows = GradientDescent(), []
    for name, make in PROBLEMS.items():
        problem = make()
        kappa = problem.curvature and problem.curvature[0] > 0
        ratio = problem.curvature[1] / problem.curvature[0] if kappa and problem.curvature else None
        limit = _number(stability_limit(problem, rule))
        numbers = 1
        for length in problem.shape:
            numbers *= length
        rows.append(
            [
                f"[{name}](#{name})",
                str(numbers),
                *(_number(value) for value in (problem.f_star, ratio, best_lr(problem, rule))),
                limit if problem.unique else f"{limit}\\*",
            ]
        )
    header = ("problem", "numbers in x", "minimum f\\*", "condition number", "best lr", "limit")
    files = {path.stem: config_files.read(path) for path in _files(shipped() / "problem")}
    parts = [
        "# Problems\n",
        "`problem=NAME` chooses one. The best learning rate is that of plain gradient descent "
        "for the worst start; at the limit and above it gradient descent leaves the minimum. A "
        "limit with \\* is that of one minimum: the problem has others. What is blank is not "
        "known in closed form. This page is made from the code and from `conf/problem/`.\n",
        table(header, rows),
    ]
    for name in [*PROBLEMS, *(each for each in files if each not in PROBLEMS)]:
        file = files[name]
        parts += [f"## {name}\n", _about(PROBLEMS.get(name), file)]
        parts += [_keys(file, "problem", PROBLEMS.get(name))]
    return "\n".join(parts)


def rules() -> str:
    """Return the page of update rules and schedules."""
    parts = [
        "# Update rules and schedules\n",
        "`optimizer=NAME` chooses an update rule, `optimizer/schedule=NAME` how its learning rate "
        "changes. This page is made from the code and from `conf/optimizer/`.\n",
    ]
    for path in _files(shipped() / "optimizer"):
        file, build = config_files.read(path), BY_NAME.get(path.stem)
        parts += [f"## {path.stem}\n", _about(build, file), _keys(file, "optimizer", build)]
    updates = config_files.read(shipped() / "optimizer" / "updates" / "default.yaml")
    parts += [
        _heading("of trainings"),
        _intro(updates),
        _keys(updates, "optimizer", UpdateSettings),
    ]
    parts += ["## Schedules\n"]
    for path in _files(shipped() / "optimizer" / "schedule"):
        file, build = config_files.read(path), SCHEDULES_BY_NAME.get(path.stem)
        parts += [f"### {path.stem}\n", _about(build, file)]
        parts += [_keys(file, "optimizer.schedule", build)]
    return "\n".join(parts)


def _about(build: Build | None, file: ConfigFile) -> str:
    """Return the text at the head of a file, its command, and what the class says of it."""
    exact = first_sentence(build.__doc__) if build is not None and not _made_by_path(build) else ""
    said = f"\n{exact}\n" if letters(exact) not in letters(file.text) else ""
    if any(word in file.command for word in PLACEHOLDERS):
        return f"{escaped(file.text)}\n{said}\nAs typed: {code(file.command)}\n"
    return f"{escaped(file.text)}\n{said}\n```sh\n{file.command}\n```\n"


def letters(text: str) -> str:
    """Return the letters and signs of a text without marks, to compare two."""
    return "".join(letter for letter in text.lower() if letter not in " `\\.,:")


def _made_by_path(build: Build) -> bool:
    """Return whether it makes an object of a class that a config names."""
    return build in (custom_rule, custom_schedule, one_cycle)


def _intro(file: ConfigFile) -> str:
    return f"{escaped(file.text)}\n"


def _keys(file: ConfigFile, group: str, build: Build | None) -> str:
    """Return the table of a file's keys; nothing where it has none of its own."""
    shown = [key for key in file.keys if _is_shown(key, file.keys)]
    rows = [_row(key, group, build) for key in shown]
    return table(HEADER, rows) if rows else ""


def _is_shown(key: Key, keys: Iterable[Key]) -> bool:
    """Return whether a key has a value of its own: it is no group, and no name of its file."""
    groups = any(each.name.startswith(f"{key.name}.") for each in keys)
    if groups:
        return key.name == "space"
    return not key.name.startswith("space.") and (key.name != "name" or key.default == "null")


def _row(key: Key, group: str, build: Build | None) -> list[str]:
    """Return a key with its default, what it allows and what it means."""
    name = key.name.removeprefix(f"{group}.")
    if group == "problem" and _takes(transformed, name):
        build = transformed
    is_whole = group in ("rerun", "resume", "delete")
    typed = key.name if is_whole else f"{group}.{key.name}".lstrip(".")
    said = allowed(build, name) if build is not None and _takes(build, name) else ""
    meaning = key.comment
    if build is not None and (not meaning or build in SETTINGS.values()):
        meaning = argument_text(build, name) or meaning
    return [code(typed), code(key.default), escaped(said), escaped(meaning)]


def argument_text(build: Build, name: str) -> str:
    """Return what a docstring says of an argument, as one line of plain text."""
    lines = inspect.getdoc(build) or ""
    found: list[str] = []
    for line in lines.splitlines():
        if found and (not line.startswith("     ")):
            break
        if found or line.startswith(f"    {name}: "):
            found.append(line.strip())
    return " ".join(found).removeprefix(f"{name}: ").replace("None", "null")


def _takes(build: Build, name: str) -> bool:
    return name in inspect.signature(build).parameters


def _choices(conf: Path) -> str:
    rows = []
    for group in ("problem", "optimizer", "optimizer/schedule", "experiment"):
        names = ", ".join(code(path.stem) for path in _files(conf / group))
        rows.append([code(group), code(_default(group)), names])
    return table(("choice", "default", "allowed"), rows)


def _default(group: str) -> str:
    values: dict[str, Any] = {"problem": "matrix", "optimizer": "gd", "experiment": "null"}
    return str(values.get(group, "constant"))


def _heading(name: str) -> str:
    return f"## {name}\n"


def _files(folder: Path) -> list[Path]:
    """Return the files of a folder, those of the same name as a default first."""
    return sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != "default", path.stem))


def _choice(command: str, path: Path) -> str:
    return command if path.stem == "default" else f"{command}={path.stem}"


def _sentence(text: str) -> str:
    """Return what a file says before it speaks of the command line."""
    return text.partition(" On the command line ")[0].partition(" Another grid:")[0]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
