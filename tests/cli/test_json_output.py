"""`output=json`: one object on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from gdexp.cli.json_fields import ANSWERS, EVERY
from gdexp.cli.main import main
from gdexp.config.keys import COMMANDS
from gdexp.core import json_output
from tests.support import commands
from tests.support.json_fields import faults

PRINTING = """
import os

import torch

from gdexp import Problem


class Printing(Problem):
    name = "printing"
    shape = (2,)
    f_star = 0.0

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        print("printed by Python")
        os.write(1, b"written to the descriptor\\n")
        return (x**2).sum()
"""


class Asked:
    """Asks commands for JSON in this process and reads what they print."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self.captured = captured
        self.said = ""

    def __call__(self, *arguments: str, status: int = 0, name: str | None = None) -> dict[str, Any]:
        assert main([*arguments, "output=json"]) == status
        text, self.said = self.captured.readouterr()
        answer: dict[str, Any] = json.loads(text)
        assert not faults(answer, name)
        assert answer["exit_status"] == status
        return answer


@pytest.fixture
def ask(here: Path, capsys: pytest.CaptureFixture[str]) -> Asked:
    """What commands answer in an empty folder."""
    return Asked(capsys)


@pytest.mark.slow
def test_each_command_answers_with_the_fields_of_the_reference(ask: Asked) -> None:
    run = ask("optimizer.lr=4.5")
    assert (run["command"], run["status"], run["iterations"]) == ("run", "converged", 1)
    assert run["config"]["optimizer"]["lr"] == 4.5
    assert run["metrics"]["hitting_time"] == run["hitting_time"]
    assert "converged" in ask.said

    sweep = ask("+sweep", "sweep.n_trials=3", "sweep.name=three")
    assert (sweep["sweep"], sweep["finished"]) == ("three", 3)
    assert sum(sweep["statuses"].values()) == 3
    assert sweep["statuses"]["converged"] >= 1
    assert {*sweep["best"]["parameters"]} == {*sweep["space"]}
    assert sum(row["total"] for row in sweep["thresholds"]) == 3 * len(sweep["thresholds"])

    compared = ask("+compare")
    assert compared["sweep"] == sweep["run_id"]
    assert compared["best"] == compared["runs"][0]["run_id"]
    assert len(compared["runs"]) == 3

    again = ask(f"+rerun={run['run_id']}")
    assert (again["verdict"], again["reference"]["run_id"]) == ("identical", run["run_id"])
    every = ask(f"+rerun={sweep['run_id']}", "rerun_all=true", name="rerun_all")
    assert (every["verdicts"], len(every["runs"])) == ({"identical": 3}, 3)

    exported = ask(f"+export={run['run_id']}", "export.folder=out")
    assert {*exported["files"]} == {path.name for path in Path("out").iterdir()}
    assert ask("+rerun=./out")["verdict"] == "identical"


@pytest.mark.slow
def test_what_records_nothing_answers_too(ask: Asked, here: Path) -> None:
    known = {each["name"]: each for each in ask("+problems")["problems"]}
    assert known["matrix"]["best_lr"] == 4.5
    inspected = ask("+inspect", "problem=autograd")
    assert inspected["agrees"]
    assert inspected["gradient_error"] <= inspected["tolerance"]
    preview = ask("+sweep", "sweep.preview=true")
    assert {*preview["trials"][0]} == {*preview["space"]}
    assert not [*here.iterdir()]


@pytest.mark.slow
def test_a_benchmark_answers_with_its_tables(ask: Asked) -> None:
    small = ("+benchmark", "benchmark.rules=[gd]", "benchmark.functions=[1]", "benchmark.name=one")
    given = (*small, "benchmark.dimensions=[2]", "benchmark.budget=20")
    preview = ask(*given, "benchmark.preview=true", name="benchmark_preview")
    assert (preview["cells"], preview["descents"]) == (1, 30)
    assert not Path("benchmarks").exists()
    answer = ask(*given)
    assert {row["targets_met"] for row in answer["solvers"]} == {1.0}
    assert Path(answer["report"]).is_file()
    assert "cells: 1 of 1" in ask.said
    left = ask(*given, "benchmark.preview=true", name="benchmark_preview")
    assert (left["cells"], left["seconds"]) == (0, 0)


@pytest.mark.slow
def test_a_sweep_without_a_winner_answers_with_the_nearest_trial(ask: Asked) -> None:
    fixed = ("stopping.threshold=1e-30", "stopping.max_iterations=5", "sweep.n_trials=2")
    answer = ask("+sweep", *fixed, status=1)
    assert answer["best"] is None
    assert answer["nearest"]["status"] == "max_iterations"


REFUSED = [
    ("optimizer.lr=-1", "run", "optimizer.lr", -1),
    ("+compare", "compare", "tracking.uri", "mlflow.db"),
    ("seed='a", "run", "argument", "seed='a"),
    ("optimizer.lrr=1", "run", "optimizer.lrr", "1"),
    ("+sweep sweep.n_trials=0", "sweep", "sweep.n_trials", 0),
    ("-m optimizer.lr=interval(", "sweep", "optimizer.lr", "interval("),
    ("--nothing", "run", "--nothing", None),
    ("tracking.uri=postgresql://me:hunter2@", "run", "tracking.uri", "postgresql://***@"),
]


@pytest.mark.slow
def test_an_error_is_a_line_and_an_object(ask: Asked, here: Path) -> None:
    for line, command, key, value in REFUSED:
        answer = ask(*line.split(" "), status=2)
        (said,) = ask.said.splitlines()
        assert said == f"gdexp: error: {answer['error']}"
        assert (answer["command"], answer["key"], answer["value"]) == (command, key, value)
    assert main(["output=yaml"]) == 2
    assert ask.captured.readouterr().out == ""
    assert not [*here.iterdir()]


@pytest.mark.slow
def test_what_a_signal_or_the_users_code_ends_answers_too(ask: Asked, here: Path) -> None:
    (here / "ending.py").write_text(
        "import os\n\n\n"
        "def fit(signal=0):\n"
        '    yield {"loss": 1.0}\n'
        "    os.kill(os.getpid(), signal)\n"
        "    raise ArithmeticError\n"
    )
    own = ("problem=loop", "problem.path=ending.fit")
    ended = ask("+sweep=grid", *own, "problem.arguments.signal=choice(15,2)", status=143)
    assert (ended["command"], ended["error"], ended["key"]) == (
        "sweep",
        "interrupted: SIGTERM",
        None,
    )
    assert "the same command continues" in " ".join(ask.said.split())
    failed = ask(*own, status=1)
    assert failed["error"] == ("problem=ending.fit: its code failed: ArithmeticError: no message")
    assert ask.said.splitlines()[-1] == f"gdexp: error: {failed['error']}"


@pytest.mark.slow
def test_numbers_that_json_lacks_are_texts(ask: Asked) -> None:
    answer = ask("optimizer.lr=1000", "stopping.threshold=1e-5")
    assert answer["status"] == "diverged"
    assert answer["final_loss"] in ("inf", "nan")
    assert not math.isfinite(float(answer["final_loss"]))


@pytest.mark.slow
def test_what_a_problem_prints_is_not_in_the_answer(here: Path) -> None:
    (here / "printing.py").write_text(PRINTING)
    own = ("problem=custom", "problem.path=printing.Printing", "optimizer.lr=0.4", "output=json")
    done = commands.gdexp(*own, cwd=here)
    assert not faults(json.loads(done.stdout))
    assert "printed by Python" in done.stderr
    assert "written to the descriptor" in done.stderr


def test_standard_output_is_as_it_was_afterwards(capfd: pytest.CaptureFixture[str]) -> None:
    with json_output.current() as answer:
        json_output.begin("json", "run")
        print("beside")
        json_output.answer("run", {"value": -math.inf, "list": (1, "a", None, True)})
        assert answer.finish(3) == 3
    print("after")
    os.write(1, b"and below\n")
    said, beside = capfd.readouterr()
    assert json.loads(said[: said.index("after")]) == {
        "command": "run",
        "exit_status": 3,
        "error": None,
        "value": "-inf",
        "list": [1, "a", None, True],
    }
    assert said.endswith("after\nand below\n")
    assert beside == "beside\n"


def test_an_answer_holds_no_secret() -> None:
    said = json_output.plain({"uri": ["postgresql://me:hunter2@host/db"]})
    assert "host" in said["uri"][0]
    assert "hunter2" not in said["uri"][0]


def test_outside_of_a_command_and_as_text_nothing_changes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    json_output.begin("json", "run")
    json_output.answer("run", {})
    with json_output.current() as answer:
        json_output.begin("text", "run")
        json_output.answer("run", {})
        print("text")
        assert answer.finish(0) == 0
    assert capsys.readouterr() == ("text\n", "")


def test_every_command_has_fields() -> None:
    assert {"run", "preview", *COMMANDS} <= {*ANSWERS}
    assert all(not {*EVERY} & {*fields} - {"exit_status"} for fields in ANSWERS.values())
