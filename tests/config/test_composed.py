"""What is composed: every shipped file, the command that repeats a config, its signature."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hydra._internal import hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hypothesis import given
from hypothesis import strategies as st

from gdexp import config
from gdexp.cli.main import main
from gdexp.config.arguments import rewrite
from gdexp.config.overrides import literal, overrides, shortest_command
from gdexp.experiment.experiment import Experiment
from tests.support.commands import composed
from tests.support.shortcuts import LOADER

ELSEWHERE = config.shipped() / "sweep/ray.yaml"
"""Composes where Ray is, in an environment of its own: tests/sweeps/launchers/test_ray.py."""
SHIPPED = sorted({*config.shipped().rglob("*.yaml")} - {ELSEWHERE})
COMMAND = re.compile(r"# (python -m gdexp.*)")


def opening(path: Path) -> str:
    """The command in a file's first line (its second, after a package directive)."""
    lines = path.read_text().splitlines()
    first = lines[1] if lines[0].startswith("# @package") else lines[0]
    found = COMMAND.match(first)
    assert found, f"{path} does not open with its command: {first}"
    return found[1]


def _parts(found: dict[str, Any]) -> list[dict[str, Any]]:
    optimizer = found["optimizer"]
    return [found["problem"], optimizer, optimizer.get("schedule", {})]


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.relative_to(config.shipped()).as_posix())
def test_every_shipped_file_opens_with_a_command_that_composes_it(path: Path) -> None:
    words = shlex.split(opening(path))[3:]
    lines = [line for line in rewrite(words) if line not in ("-m", "--multirun")]
    group, name = path.parent.relative_to(config.shipped()).as_posix(), path.stem
    swept = [line for line in lines if "interval(" in line or "range(" in line or "choice(" in line]
    found = composed(*(line for line in lines if line not in swept))
    config.check_keys(found)
    if group in ("problem", "optimizer"):
        assert found[group]["name"] == name
    if group == "optimizer/schedule":
        assert found["optimizer"]["schedule"]["name"] == name
    if not {"custom", "training", "loop"} & {
        each.get("name") for each in _parts(found)
    }:  # the user's own
        Experiment.from_config(found)


def test_the_defaults_are_the_notebooks() -> None:
    found = composed()
    assert found["problem"]["name"] == "matrix"
    assert found["optimizer"]["name"] == "gd"
    assert (found["optimizer"]["lr"], found["stopping"]["threshold"]) == (1.0, 1e-5)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (["+sweep"], ["+sweep=default", "--multirun"]),
        (["+sweep=fast", "optimizer.lr=1"], ["+sweep=fast", "optimizer.lr=1", "--multirun"]),
        (["-m", "+sweep"], ["+sweep=default", "-m"]),
        (["-m", "optimizer.lr=1,2"], ["optimizer.lr=1,2", "+sweep=manual", "-m"]),
        (["+inspect", "-cd", "mine", "seed=1"], ["+inspect=default", "seed=1", "-cd", "mine"]),
        (["--info", "searchpath", "seed=1"], ["seed=1", "--info", "searchpath"]),
        (["+sweep", "--cfg", "job"], ["+sweep=default", "--cfg", "job"]),
        (["+sweep", "-cd", "mine"], ["+sweep=default", "-cd", "mine", "--multirun"]),
        (["+inspect"], ["+inspect=default"]),
        (["+optimizer.lr=1"], ["+optimizer.lr=1"]),
        (["+compare"], ["+compare=default"]),
        (["+compare=default"], ["+compare=default"]),
        (["+compare=1e10"], ["+compare=default", "compare.runs=['1e10']"]),
        (["+compare=[ab, 12]"], ["+compare=default", "compare.runs=['ab','12']"]),
        (
            ["+compare=ab,12", "-cd", "x"],
            ["+compare=default", "compare.runs=['ab','12']", "-cd", "x"],
        ),
        (["+a.b"], ["+a.b"]),
        ([], []),
    ],
)
def test_exactly_a_bare_plus_name_is_rewritten(given_: list[str], expected: list[str]) -> None:
    assert rewrite(given_) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["optimizer.lr=4.5041464178242085", "seed=3"],
        ["problem=function", "optimizer=adam", "problem.hidden=[8,4]", "dtype=float64"],
        ["optimizer/schedule=cosine", "optimizer.schedule.steps=7"],
        ["problem.target=[[1,2],[3,4.5]]", "stopping.threshold=1e-08"],
        ["experiment=notebook"],
        ["experiment=function"],
        ["problem=quadratic", "problem.rotation_seed=3", "problem.shift=0.5"],
        ["problem=bbob", "problem.function=3"],
        ["problem=bbob", "dtype=float32"],
    ],
)
def test_the_shortest_command_composes_the_same_config(lines: list[str]) -> None:
    wanted = config.outcome(composed(*lines))
    command = shlex.split(shortest_command(wanted))
    assert command[:3] == ["python", "-m", "gdexp"]
    assert config.outcome(composed(*command[3:])) == wanted
    assert overrides(config.outcome(composed())) == []


plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("abc xyz'\\\",[]{}=:$#1.e-_/", max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@pytest.mark.slow
@given(plain_values)
def test_a_literal_reads_back_equal(value: Any) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_override(f"k={literal(value)}").value()
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.slow
def test_the_signature_covers_what_decides_the_outcome_and_nothing_else() -> None:
    base = composed()
    assert config.signature(base) == config.signature(composed("tracking.experiment=other"))
    for line in ("optimizer.lr=2", "seed=1", "dtype=float64", "problem.target=[1]"):
        assert config.signature(composed(line)) != config.signature(base)


def test_users_add_files_of_their_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = here / "mine" / "problem"
    folder.mkdir(parents=True)
    (folder / "small.yaml").write_text("name: matrix\ntarget: [1.0]\nx0: [0.0]\n")
    assert main(["--config-dir", str(here / "mine"), "problem=small", "--cfg", "job"]) == 0
    assert "target:\n  - 1.0" in capsys.readouterr().out
    assert main(["--help", "--config-dir", str(here / "mine")]) == 0
    assert " small" in capsys.readouterr().out


def test_what_commands_of_the_tests_share_is_what_hydra_composes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = ["+sweep=fast", "problem=quadratic", "optimizer.lr=0.3", "seed=4"]
    shared = [composed(*lines) for _ in range(2)]
    monkeypatch.setattr(hydra_main, LOADER, ConfigLoaderImpl)
    assert shared == [composed(*lines)] * 2


def test_equal_numbers_have_equal_signatures() -> None:
    assert config.signature(composed("optimizer.lr=2")) == config.signature(
        composed("optimizer.lr=2.0")
    )


def test_a_folder_whose_name_mlflow_would_decode_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "a%20b").mkdir()
    monkeypatch.chdir(here / "a%20b")
    assert main([]) == 2
    assert "%-escape" in capsys.readouterr().err
    assert list((here / "a%20b").iterdir()) == []
