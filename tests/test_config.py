"""What is composed and what is refused: every shipped file, every kind of slip."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdexp import BadInput, config
from gdexp.__main__ import main
from gdexp.arguments import rewrite
from gdexp.experiment import Experiment
from gdexp.repeat import literal, overrides, shortest_command
from tests.commands import composed, gdexp, one_error_line

SHIPPED = sorted(config.shipped().rglob("*.yaml"))
COMMAND = re.compile(r"# (python -m gdexp.*)")


def opening(path: Path) -> str:
    """The command in a file's first line (its second, after a package directive)."""
    lines = path.read_text().splitlines()
    first = lines[1] if lines[0].startswith("# @package") else lines[0]
    found = COMMAND.match(first)
    assert found, f"{path} does not open with its command: {first}"
    return found[1]


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
    if found["problem"]["name"] != "custom":  # its path is the user's
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


BAD = [
    ("optimizer.lr=-0.1", "optimizer.lr=-0.1: must be > 0"),
    ("optimizer.lr=0", "optimizer.lr=0: must be > 0"),
    ("optimizer.lr=nan", "optimizer.lr=nan: must be a finite number"),
    ("optimizer.lr=1e400", "optimizer.lr=inf: must be a finite number"),
    ("optimizer.lr=abc", "optimizer.lr=abc: must be a number"),
    ("optimizer.lr=", "optimizer.lr=: must be a number"),
    ("optimizer.lr=null", "must be a number; none was given"),
    ("optimizer.lr=true", "must be a number"),
    ("optimizer.lr='nan'", "must be a finite number (YAML writes the float as .nan)"),
    ("stopping.threshold=0", "stopping.threshold=0: must be > 0"),
    ("stopping.threshold=-1e-5", "must be > 0"),
    ("stopping.threshold=inf", "must be a finite number"),
    ("stopping.max_iterations=0", "must be an integer from 1"),
    ("stopping.max_iterations=10.5", "must be an integer from 1"),
    ("problem.x0=[1,2,3]", "must have the target's shape (3, 3)"),
    ("problem.x0=1.0", "must have the target's shape (3, 3)"),
    ("problem.target=[[1,2],[3]]", "rows of equal length"),
    ("problem.target=[nan]", "finite numbers only"),
    ("problem.target=[[a]]", "list of numbers"),
    ("problem.target=[]", "at least one number"),
    ("dtype=int32", "choose from bfloat16, float16, float32, float64"),
    ("dtype=float46", "did you mean float64?"),
    ("device=gpu", "usable here: cpu"),
    ("device=cpu:3", "usable here: cpu"),
    ("device=meta", "usable here: cpu"),
    ("seed=-1", "integer from 0 to 2^63-1"),
    ("seed='7'", "integer from 0 to 2^63-1"),
    ("seed=1.5", "integer from 0 to 2^63-1"),
    ("seed=9223372036854775808", "integer from 0 to 2^63-1"),
    ("optimizer=SDG", "no such choice"),
    ("optimizer=momentun", "did you mean momentum?"),
    ("problem=matrx", "did you mean matrix?"),
    ("problem=null", "must be a name; choose from"),
    ("optimizer.lrr=1", "did you mean optimizer.lr?"),
    ("+optimizer.lrr=1", "did you mean lr?"),
    ("++optimizer.lrr=1", "did you mean lr?"),
    ("+problem.tarjet=1", "did you mean target?"),
    ("+stopping.treshold=1", "did you mean threshold?"),
    ("+tracking.url=x", "did you mean uri?"),
    ("~optimizer.lr", "cannot be removed"),
    ("~seed", "cannot be removed"),
    ("optimizer.lr=1,2", "add -m or +sweep"),
    ("optimizer.lr=1 optimizer.lr=2", "was given twice, first as 1"),
    ("optimizer.lr=1 ++optimizer.lr=2", "was given twice, first as 1"),
    ("+swep", "did you mean sweep?"),
    ("+sweep=fsat", "no such choice"),
    ("+sweep +inspect", "one command at a time"),
    ("+foo=1", "unknown key"),
    ("foo", "write KEY=VALUE"),
    ("seed=${nope}", "cannot be resolved"),
    ("tracking.uri=mlflow.db", "sqlite:///FILE.db"),
    ("tracking.uri=ftp://somewhere", "sqlite:///FILE.db"),
    ("tracking.uri=sqlite:///no/such/folder/x.db", "does not exist"),
    ("tracking.uri=sqlite:///", "must name a file"),
    ("tracking.experiment=''", "not empty"),
    ("+sweep sweep.n_trials=0", "integer from 1"),
    ("+sweep sweep.n_trials=-3", "integer from 1"),
    ("+sweep sweep.sampler=tpee", "did you mean tpe?"),
    ("+sweep sweep.sampler=grid", "needs choice() or range()"),
    ("+sweep sweep.name=a/b", "letters, digits"),
    ("+sweep sweep.nam=a", "did you mean sweep.name?"),
    ("+sweep +sweep.nam=a", "did you mean name?"),
    ("+sweep sweep.storage=mlflow.db", "two files are needed"),
    ("+sweep sweep.storage=sqlite:///s.db", "journal file"),
    ("+sweep sweep.space=3", "must map keys to ranges"),
    ("+sweep optimizer.lr=interval(5,1)", "lower end must come first"),
    ("+sweep optimizer.lr=tag(log,interval(0,1))", "must start above 0"),
    ("+sweep optimizer.lr=interval(-1,1)", "must be > 0"),
    ("+sweep optimizer.lr=interval(a,1)", "cannot be read"),
    ("+sweep optimizer.lrr=interval(1,2)", "did you mean optimizer.lr?"),
    ("+sweep foo.bar=interval(1,2)", "cannot be swept"),
    ("+sweep tracking.experiment=a,b", "cannot be swept"),
    ("+sweep dtype=float32,int8", "choose from"),
    ("+sweep stopping.threshold=1e-5 optimizer.lr=1", "is empty"),
    ("-m", "is empty"),
    ("-m optimizer=gd,adamm", "did you mean adam?"),
    ("-m problem=matrix,nix", "no such choice"),
    ("-m stopping=default,other", "cannot be swept whole"),
    ("-m tracking=default,other", "cannot be swept"),
    ("tracking.experiment=..", "no folder's"),
    ("--confg-dir mine", "did you mean --config-dir?"),
    ("--sweep", "no such option"),
    ("--config-dir nowhere", "not found"),
]


@pytest.mark.parametrize(("line", "words"), BAD, ids=[line for line, _ in BAD])
def test_bad_input_is_one_line_status_2_and_leaves_nothing(
    line: str, words: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split(" ")) == 2
    said = capsys.readouterr().err
    assert said.startswith("gdexp: error: ")
    assert len(said.splitlines()) == 1
    assert words in said
    assert list(here.iterdir()) == []


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
keys = st.sampled_from(
    ["optimizer.lr", "stopping.threshold", "seed", "problem.x0", "problem.target", "dtype",
     "stopping.max_iterations", "optimizer.schedule.name", "problem", "optimizer", "sweep"]
)  # fmt: skip


@given(st.sampled_from(["", "+", "++", "~"]), keys, words)
def test_no_override_ends_in_anything_but_a_config_or_one_line(
    prefix: str, key: str, value: str
) -> None:
    """Composed and checked as the command line does, without running anything."""
    from gdexp.composition import explained

    line = f"{prefix}{key}={value}"
    try:
        found = composed(line)
        config.check_given([line])
        config.check_keys(found)
        Experiment.from_config(found)
    except BadInput as error:
        text = str(error)
    except Exception as error:
        text = str(explained(error, [line], composing=True))
    else:
        return
    assert text
    assert "Traceback" not in text


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


@given(plain_values)
def test_a_literal_reads_back_equal(value: Any) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_override(f"k={literal(value)}").value()
    assert parsed == value
    assert type(parsed) is type(value)


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


OWN = """
import sys

import torch


def vector(x):
    return x * 2


def leaves(x):
    sys.exit(0)


def fails(x):
    raise ValueError("boom")
"""


@pytest.mark.parametrize("command", [[], ["+sweep"]], ids=["run", "sweep"])
@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("own.vector", 2, "must be a scalar, but has shape (2,)"),
        ("own.leaves", 1, "problem=own.leaves: its code failed: SystemExit: 0"),
        ("own.fails", 1, "problem=own.fails: its code failed: ValueError: boom"),
        ("own.nothing", 2, "has no 'nothing'"),
        ("nowhere.loss", 2, "no module"),
    ],
)
def test_a_problem_of_ones_own_that_cannot_work_is_found_before_anything_is_written(
    here: Path,
    command: list[str],
    path: str,
    status: int,
    words: str,
) -> None:
    (here / "own.py").write_text(OWN)
    done = gdexp(*command, "problem=custom", f"problem.path={path}", "problem.shape=2",
                 cwd=here, expect=status)  # fmt: skip
    assert words in one_error_line(done)
    assert {entry.name for entry in here.iterdir()} <= {"own.py", "__pycache__"}


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
