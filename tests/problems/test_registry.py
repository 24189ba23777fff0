"""A config section becomes the problem it describes, or one line says why not."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
import yaml

from gdexp.core.errors import BadInput
from gdexp.problems.custom import custom_problem
from gdexp.problems.quadratic import Quadratic
from gdexp.problems.registry import PROBLEMS, build_problem
from gdexp.problems.transformed import Transformed
from tests.support import names

CONF = Path(__file__).parents[2] / "conf" / "problem"
LEADS = {"matrix", "autograd", "function"}


@pytest.mark.parametrize("name", names.PROBLEMS)
def test_a_name_alone_builds_the_default(name: str) -> None:
    problem = build_problem({"name": name})
    assert type(problem) is PROBLEMS[name]


@pytest.mark.parametrize("name", sorted({*names.PROBLEMS, "custom"} - LEADS))
def test_every_config_file_lists_all_keys_with_their_defaults(name: str) -> None:
    text = (CONF / f"{name}.yaml").read_text().removeprefix("# @package _global_\n")
    content = yaml.safe_load(text)
    section = content.get("problem", content)
    make = custom_problem if name == "custom" else PROBLEMS[name]
    parameters = inspect.signature(make).parameters
    assert set(section) == {"name", *parameters, "rotation_seed", "shift"}
    for key, parameter in parameters.items():
        default = None if parameter.default is parameter.empty else parameter.default
        assert section[key] == default
    assert text.startswith(f"# python -m gdexp problem={name} ")
    if name != "custom":
        assert build_problem(section).name == name


@pytest.mark.parametrize("name", sorted({p.stem for p in CONF.glob("*.yaml")}))
def test_every_config_file_names_a_problem(name: str) -> None:
    assert name in {*PROBLEMS, "custom", "training", "loop"}


def test_rotation_and_shift_wrap_the_problem() -> None:
    problem = build_problem(
        {"name": "quadratic", "dimension": 4, "mu": 0.5, "rotation_seed": 1, "shift": [1, 2, 3, 4]}
    )
    assert isinstance(problem, Transformed)
    assert isinstance(problem.inner, Quadratic)
    assert problem.shift is not None
    assert problem.shift.tolist() == [1, 2, 3, 4]


def test_a_null_is_not_given() -> None:
    problem = build_problem({"name": "quadratic", "spectrum": None, "shift": None})
    assert isinstance(problem, Quadratic)
    assert torch.equal(problem.start(0), torch.ones(10, dtype=torch.float64))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({}, "problem.name=null: choose from"),
        ({"name": "rosenbrok"}, "problem.name=rosenbrok: did you mean rosenbrock?"),
        ({"name": "quadratic", "dimensions": 3}, "problem.dimensions=3: did you mean dimension?"),
        ({"name": "booth", "rotation": 3}, "problem.rotation=3: did you mean rotation_seed?"),
        ({"name": "quadratic", "mu": -1.0}, "problem.mu=-1.0: must be > 0"),
        ({"name": "ols", "shift": "x"}, "problem.shift=x: must be a number"),
        ({"name": "custom"}, "problem.path=null: must name a loss or a problem"),
        (
            {"name": "custom", "path": "os.system"},
            "problem.path=os.system: is not trusted to run: add trust=[os.system]",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(section: dict, message: str) -> None:
    with pytest.raises(BadInput) as error:
        build_problem(section)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
