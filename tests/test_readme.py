"""The README is run: its commands compose, its code works, its links and defaults are there."""

from __future__ import annotations

import math
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import gdexp
from gdexp import config
from gdexp.cli.main import main
from gdexp.config.arguments import rewrite
from gdexp.core.errors import BadInput, GdexpError, StorageFailed, StudyInUse
from gdexp.core.signals import Interrupted
from gdexp.descent.stopping import Status
from gdexp.experiment.experiment import Experiment, trusted_paths
from gdexp.reruns.verdict import EXIT_DIFFERENT, EXIT_NO_REFERENCE
from tests.support.commands import composed

ROOT = Path(gdexp.__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN = ROOT / "tests" / "own"
LEAD = ["python", "-m", "gdexp"]


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every `python -m gdexp …`, in blocks and in running text, without `$` and comments."""
    lines = [line for kind in ("sh", "text") for each in blocks(kind) for line in each.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    found = [line.removeprefix("$ ") for line in lines] + re.findall(r"`([^`\n]+)`", prose)
    return list(dict.fromkeys(line for line in found if line.startswith("python -m gdexp")))


def words(line: str) -> list[str]:
    """The arguments of a command."""
    given = shlex.split(line, comments=True)
    assert given[:3] == LEAD
    return given[3:]


def shown() -> list[tuple[str, list[str]]]:
    """Commands with the output that the README shows, but for sweeps, which take long."""
    lead = "$ " + " ".join(LEAD)
    pairs = [each.splitlines() for each in blocks("text") if each.startswith(lead)]
    return [(first[2:], rest) for first, *rest in pairs if "+sweep" not in first]


def named_files(language: str) -> dict[str, str]:
    """The blocks that open with a file's name, by that name."""
    found = {}
    for block in blocks(language):
        first, _, rest = block.partition("\n")
        if re.fullmatch(r"# [\w/]+\.\w+", first):
            found[first.removeprefix("# ")] = rest
    return found


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its two top lines."""
    part = README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in row.strip("|").replace(" | | ", " |  | ").split(" | ")]
        for row in rows[2:]
    ]


@pytest.fixture
def own(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory with the README's files in it; imports are undone."""
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(OWN))])
    for name, content in {**named_files("python"), **named_files("yaml")}.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(content)
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    return here


def test_the_readme_shows_commands_code_and_files() -> None:
    assert len(commands()) > 20
    assert len(blocks("python")) >= 7
    assert len(shown()) >= 3
    assert {"valley.py", "smooth.py", "cubic.py", "test_own.py"} == set(named_files("python"))


@pytest.mark.slow
@pytest.mark.parametrize("line", commands())
def test_every_command_composes(line: str, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = words(line)
    if any(word.startswith("--") for word in given):
        shows = [] if {"--cfg", "--help"} & set(given) else ["--cfg", "job"]
        assert main([*given, *shows]) == 0, capsys.readouterr().err
        return
    if line in [command for command, output in shown() if "error" in output[0]]:
        return  # run below
    if "-m" in given or any(word.startswith("+sweep") for word in given):
        shows = {"sweep.preview=true"} - set(given)
        assert main([*given, *shows]) == 0, capsys.readouterr().err
        assert "Nothing was run" in capsys.readouterr().out
        return
    found = composed(*rewrite(given))
    config.check_keys(found)
    Experiment.from_config(found, trusted_paths(found))


@pytest.mark.slow
@pytest.mark.parametrize(("line", "output"), shown())
def test_the_output_that_is_shown_is_what_is_printed(
    line: str, output: list[str], own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(words(line))
    said = capsys.readouterr()
    printed = [" ".join(text.split()) for text in (said.out + said.err).splitlines()]
    assert status == (2 if "gdexp: error" in said.err else 0)
    for text in output:
        assert text == "…" or " ".join(text.split()) in printed


@pytest.mark.slow
@pytest.mark.parametrize("code", [b for b in blocks("python") if "def test_" not in b])
def test_every_python_block_runs_and_prints_what_it_says(
    code: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "load_runs" in code:
        assert main(["+sweep", "sweep.n_trials=2"]) == 0
        capsys.readouterr()
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    expected = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("name", named_files("python"))
def test_the_files_of_the_readme_are_those_in_tests(name: str) -> None:
    assert named_files("python")[name] == (OWN / name).read_text()


@pytest.mark.slow
def test_the_users_own_tests_pass(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(own)
    scope: dict[str, Any] = {}
    exec(compile((own / "test_own.py").read_text(), "test_own.py", "exec"), scope)
    tests = [value for name, value in scope.items() if name.startswith("test_")]
    assert tests
    for each in tests:
        each()


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in commands() if "problem.path=" in line])
def test_an_own_problem_runs_by_its_path(
    line: str, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(line)) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "status converged" in out
    counted = re.search(r"# (\d+) iterations", line)
    if counted:
        assert f"iterations {counted[1]} " in out
    assert str(own) in str(sys.modules[words(line)[1].split("=")[1].split(".")[0]].__file__)


def test_relative_links_exist() -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", README)
    assert ".images/sweep.svg" in links
    for link in links:
        assert "://" in link or (ROOT / link).exists(), link
    for alt in re.findall(r"!\[([^\]]*)\]", README):
        assert len(alt) > 30
    for name in ("scripts/run", "scripts/test", "scripts/bench", "conf/optimizer"):
        assert name in README
        assert (ROOT / name).exists()


def test_keys_and_defaults_are_those_of_the_shipped_config() -> None:
    found = composed("+sweep=default")
    for key, default, *_ in table("Config keys"):
        name = key.strip("`")
        if not default:
            config.lookup(found, name)
            continue
        wanted = OmegaConf.create(f"v: {default.strip('`')}").v
        if name in ("problem", "optimizer"):
            name += ".name"
        value = config.lookup(found, name.replace("/", ".") + ".name" * ("/" in name))
        same = value == wanted
        if isinstance(value, float):
            same = math.isclose(value, wanted)
        assert same, (key, value, default)


def test_rules_and_schedules_are_those_that_there_are() -> None:
    for group, heading in (("optimizer", "Update rules"), ("optimizer/schedule", "Schedules")):
        text = README.split(f"**{heading}**", 1)[1].split("\n```", 1)[0]
        for path in (config.shipped() / group).glob("*.yaml"):
            assert f"`{path.stem}`" in text or f"`optimizer={path.stem}`" in text


def test_statuses_are_those_that_there_are() -> None:
    assert [row[0].strip("`") for row in table("Numbers")] == [str(status) for status in Status]


def test_exit_statuses_are_those_that_there_are() -> None:
    before, after = (GdexpError, BadInput), (StorageFailed, StudyInUse)
    numbers = [
        "0",
        *(str(error.exit_status) for error in before),
        str(EXIT_NO_REFERENCE),
        str(EXIT_DIFFERENT),
        *(str(error.exit_status) for error in after),
        "128+N",
    ]
    assert [row[0] for row in table("Exit statuses and errors")] == numbers
    assert Interrupted(2).exit_status == 130
