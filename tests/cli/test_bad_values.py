"""Values that nobody would type: none ends in a traceback, a status of its own or odd signs."""

from __future__ import annotations

import contextlib
import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdexp import BadInput, config
from gdexp.cli.compare import CompareSettings
from gdexp.cli.export import ExportSettings
from gdexp.cli.main import main
from gdexp.cli.rerun import RerunSettings
from gdexp.config.arguments import rewrite
from gdexp.config.hydra_errors import as_gdexp_error
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.settings import SweepSettings
from gdexp.sweeps.space import dimension
from gdexp.sweeps.space.space import Space
from gdexp.tracking.settings import TrackingSettings
from tests.support.commands import composed
from tests.support.long_form import share
from tests.support.names import PROBLEMS, RULES

pytestmark = pytest.mark.slow

SIGNS = "aZ09 .,:;=+-~@$%&/\\|'\"`#!?*^_()[]{}<>\t\n\x00\x07\x1b\x7f\x9b\u202e\ufeffé漢😀"
words = st.text(SIGNS, max_size=12) | st.text(st.characters(codec="utf-8"), max_size=12)
odd = st.sampled_from(
    ["", "null", "~", "true", "nan", "-inf", "1e999", "-0.0", "1_0", "0x1f", "1e3", "9" * 40, "'",
     "[", "]]", "{", "{a:1}", "[1,[2,[3]]]", "[[1,2],[3]]", "[nan]", "${", "${nope}", "${seed}",
     "${oc.env:NOPE}", "${oc.decode:x}", "${now:%Y}", "???", "interval(1,2)", "interval(2,1)",
     "choice(1,a)", "range(0,5)", "tag(log,interval(0,1))", "sort(1,2)", "glob(*)", "1,2", "a,b",
     "\x1b[31m", "'\x1b]0;t\x07'", "'\u202e'", "../x", "/etc/passwd", "a=b", "'a b'", "\"\\\"\""]
)  # fmt: skip
texts = odd | words
KEYS = (
    *("optimizer.lr", "optimizer.lrr", "optimizer", "optimizer/schedule", "optimizer.schedule"),
    *(
        "stopping.threshold",
        "stopping.max_iterations",
        "stopping",
        "seed",
        "sed",
        "dtype",
        "device",
    ),
    *("problem", "problem.x0", "problem.target", "problem.shift", "problem.path", "problem@x"),
    *("tracking.uri", "tracking.experiment", "sweep", "sweep.n_trials", "sweep.sampler", "trust"),
    *("sweep.space", "sweep.space.optimizer.lr", "rerun", "compare", "export", "experiment"),
    *("hydra.job.name", "hydra/launcher", "a.b.c", "é", "a b", "", ".", "/"),
)
keys = st.sampled_from(KEYS) | words
prefixes = st.sampled_from(["", "", "", "+", "++", "~"])
overrides = st.builds(lambda prefix, key, value: f"{prefix}{key}={value}", prefixes, keys, texts)
options = st.sampled_from(["-m", "--cfg", "--info", "--package", "-cd", "--resolve", "--", "-x"])
arguments = st.lists(overrides | texts | options, max_size=4)

plain = (
    st.none() | st.booleans() | st.integers(-3, 5) | st.sampled_from([10**12, -(10**30), 2**63])
    | st.floats() | texts
)  # fmt: skip
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)


@functools.cache
def shipped(*lines: str) -> dict[str, Any]:
    """The config that the files and these lines compose, for short descents."""
    return composed(*lines, "stopping.max_iterations=3")


def said(error: Exception) -> str:
    """What a person would see of an error, which must be one line without odd signs."""
    line = " ".join(str(error).split())
    assert line
    assert line.isprintable()
    return line


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """An empty current directory, for one example among many."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield Path(folder)


@settings(max_examples=share(500, 2))
@given(arguments)
def test_no_arguments_end_in_anything_but_lines_for_hydra_or_one_complaint(
    given_: list[str],
) -> None:
    try:
        lines = rewrite(given_)
    except BadInput as error:
        said(error)
    else:
        assert all(isinstance(line, str) for line in lines)


@settings(max_examples=60)
@given(st.lists(overrides, min_size=1, max_size=2))
def test_no_overrides_end_in_anything_but_an_experiment_or_one_complaint(
    lines: list[str],
) -> None:
    """Composed and checked as the command line does, without running anything."""
    try:
        rewrite(lines)
        found = composed(*lines)
        config.parse_overrides(lines)
        config.check_keys(found)
        Experiment.from_config(found)
    except BadInput as error:
        said(error)
    except Exception as error:
        complaint = as_gdexp_error(error, lines, composing=True)
        assert isinstance(complaint, BadInput)
        said(complaint)


@settings(max_examples=40)
@given(st.lists(overrides, min_size=1, max_size=2))
@pytest.mark.parametrize("command", [["--cfg", "job"], ["+sweep", "sweep.preview=true"]])
def test_a_command_that_only_shows_something_ends_with_0_or_2_and_leaves_nothing(
    command: list[str], lines: list[str]
) -> None:
    with (
        elsewhere() as folder,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([*lines, *command])
        out.seek(0)
        err.seek(0)
        shown, complaint = out.read(), err.read()
        assert status in (0, 2), complaint
        assert "Traceback" not in shown + complaint
        assert all(letter.isprintable() or letter == "\n" for letter in shown + complaint)
        assert list(folder.iterdir()) == []
        if status == 2:
            assert complaint.startswith("gdexp: error: ")
            assert complaint.count("\n") == 1


def changed(base: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """A config with another value under a dotted key, which need not exist."""
    group, _, rest = key.partition(".")
    if not rest:
        return {**base, group: value}
    inner = base.get(group)
    return {**base, group: changed(inner if isinstance(inner, dict) else {}, rest, value)}


GROUPS = [
    *((f"problem={name}", "problem") for name in [*PROBLEMS, "custom"]),
    *((f"optimizer={name}", "optimizer") for name in RULES),
    *((f"optimizer/schedule={name}", "optimizer.schedule") for name in ("cosine", "step")),
]


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A shipped config with some keys of it, or beside them, changed to anything."""
    line, prefix = draw(st.sampled_from(GROUPS))
    found = shipped(line)
    inside = [key for key in config.flatten(found) if key.startswith(f"{prefix}.")]
    outside = ["seed", "dtype", "device", "stopping", "stopping.threshold", f"{prefix}.odd", prefix]
    for _ in range(draw(st.integers(1, 2))):
        found = changed(found, draw(st.sampled_from([*inside, *inside, *outside])), draw(values))
    return found


@settings(max_examples=share(500, 3))
@given(configs())
def test_no_config_ends_in_anything_but_an_experiment_or_one_complaint(
    found: dict[str, Any],
) -> None:
    try:
        config.check_keys(found)
        Experiment.from_config(found, trusted_paths(found))
    except BadInput as error:
        said(error)


@settings(max_examples=share(300, 3))
@given(st.sampled_from(["optimizer.lr", "seed", "problem.x0", "dtype", "no.such"]), texts | values)
def test_no_range_ends_in_anything_but_a_plan_or_one_complaint(key: str, given_: object) -> None:
    base = {**shipped(), "sweep": {"sampler": "random", "n_trials": 2}}
    try:
        Plan.build(base, Space.build([dimension.parse(key, given_)], {}))
    except BadInput as error:
        said(error)


SETTINGS = (TrackingSettings, SweepSettings, RerunSettings, CompareSettings, ExportSettings)


@pytest.mark.parametrize("build", SETTINGS)
@settings(max_examples=share(100, 2))
@given(data=st.data())
def test_no_setting_ends_in_anything_but_settings_or_one_complaint(
    build: type, data: st.DataObject
) -> None:
    names = st.sampled_from([*build.__dataclass_fields__, "odd"])
    given_ = data.draw(st.dictionaries(names, values, min_size=1, max_size=2))
    try:
        config.construct("group", build, given_)
    except BadInput as error:
        said(error)
