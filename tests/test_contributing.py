"""The pages in .github: every path and link leads somewhere, and the path of a trial is real."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.test_rooms import PACKAGE, imports_of, module_name, target_of

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / ".github").glob("*.md"))
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\d+\. `gdexp/([\w/]+)\.py`, `(\w+)`: ", re.MULTILINE)
BY_HYDRA = "gdexp.sweeper."
"""Hydra finds the plugin that imports this room by its folder, so nothing imports the plugin."""


def test_every_named_path_exists() -> None:
    paths = re.findall(r"`((?:gdexp|conf|tests|scripts|\.ci)/[\w./-]*)", CONTRIBUTING)
    paths = [path for path in paths if "NAME" not in path]
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_resolves(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []


@pytest.mark.slow
def test_the_path_of_one_trial_follows_the_imports() -> None:
    section = CONTRIBUTING.partition("## The path of one trial\n")[2].partition("\n## ")[0]
    steps = [(f"gdexp.{path.replace('/', '.')}", name) for path, name in STEP.findall(section)]
    assert len(steps) == len(section.strip().splitlines()) == 10
    sources = {
        module_name(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")
    }
    for module, name in steps:
        defined = {getattr(node, "name", "") for node in ast.parse(sources[module]).body}
        assert name in defined, f"{module} does not define {name}"
    edges: dict[str, set[str]] = {module: set() for module in sources}
    for item in imports_of(sources):
        edges[item.importer].add(target_of(item, sources))
    reached = {steps[0][0]}
    for module, _ in steps:
        assert module in reached or module.startswith(BY_HYDRA), f"nothing before imports {module}"
        new = {module}
        while new:
            reached |= new
            new = {target for each in new for target in edges[each]} - reached
