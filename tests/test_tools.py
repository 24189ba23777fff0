"""The tools around the code: pre-commit's hooks, and environments with other library versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import environments
import pytest
import yaml

ROOT = Path(__file__).parent.parent
TESTED = environments.pinned((ROOT / "scripts" / "constraints.txt").read_text(encoding="utf-8"))
PROJECT = {
    "project": {
        "dependencies": ["torch>=2.8,<3", "hydra_core >=1.3.8, <1.4"],
        "optional-dependencies": {"dev": ["psycopg[binary]>=3.2.1,<4", "pytest<10,>=9"]},
    }
}

REPORT = """\
<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_good"/>
<testcase classname="tests.test_a" name="test_bad"><failure message="ValueError: no&#10;more">
tests/test_a.py:3: in test_bad
.venv-lowest/lib/python3.11/site-packages/optuna/study.py:12: in ask
.venv-lowest/lib/python3.11/site-packages/numpy/core.py:3: ValueError
</failure></testcase>
<testcase classname="tests.test_a" name="test_own"><error message="KeyError: 'a'">
.venv-lowest/lib/python3.11/site-packages/_pytest/runner.py:9: in run
gdexp/core/errors.py:3: KeyError
</error></testcase>
</testsuite></testsuites>
"""


def test_pre_commit_runs_the_checks_of_scripts_test_with_the_same_versions() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    tools = [re.findall(r"^\.venv/bin/python -m (ruff \w+|mypy)", hook["entry"]) for hook in hooks]
    script = (ROOT / "scripts" / "test").read_text(encoding="utf-8")
    wanted = set(re.findall(r'"\$python" -m (ruff \w+|mypy)', script))
    assert {tool for found in tools for tool in found} == wanted
    assert {"ruff", "mypy"} <= set(TESTED)


def test_lower_bounds_become_pins() -> None:
    bounds = {"torch": "2.8", "hydra-core": "1.3.8", "psycopg": "3.2.1", "pytest": "9"}
    assert environments.lower_bounds(PROJECT, "dev") == bounds
    unbounded = {"project": {"dependencies": ["numpy<3"], "optional-dependencies": {"dev": []}}}
    with pytest.raises(ValueError, match="'numpy<3' has no lower bound"):
        environments.lower_bounds(unbounded, "dev")


def test_torch_keeps_its_version_unless_another_is_named() -> None:
    tested = {"torch": "2.13.0", "pytest": "9.2.0"}
    lowest = environments.constraints("lowest", PROJECT, tested, None)
    assert lowest == ["hydra-core==1.3.8", "psycopg==3.2.1", "pytest==9", "torch==2.13.0"]
    assert environments.constraints("newest", PROJECT, tested, None) == ["torch==2.13.0"]
    assert environments.constraints("newest", PROJECT, tested, "2.14.0") == ["torch==2.14.0"]


def test_every_dependency_of_the_project_has_a_lower_bound_and_a_tested_version() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(environments.lower_bounds(pyproject, "dev")) <= set(TESTED)


def test_another_choice_of_versions_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert environments.main(["oldest"]) == environments.main([]) == 2
    assert "lowest or the newest" in capsys.readouterr().err


def test_differences_name_both_versions() -> None:
    installed = {"gdexp": "0.1.0", "torch": "2.13.0+cpu", "numpy": "2.0.0", "new-one": "1.0"}
    assert environments.differences(installed, {"torch": "2.13.0", "numpy": "2.4.6"}) == [
        "new-one 1.0 (tested: not at all)",
        "numpy 2.0.0 (tested: 2.4.6)",
    ]


def test_a_failed_test_names_the_library_that_raised() -> None:
    libraries = {"optuna", "numpy"}
    assert environments.failures(ElementTree.fromstring(REPORT), libraries) == [
        "tests.test_a::test_bad: numpy: ValueError: no",
        "tests.test_a::test_own: gdexp: KeyError: 'a'",
    ]
