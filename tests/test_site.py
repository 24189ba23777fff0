"""The reference of the site says what the code says, and the site builds without a warning."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from documentation import site
from documentation.allowed_values import allowed
from documentation.config_files import read
from documentation.markdown import escaped, from_docstring, table

import gdexp
from gdexp import config
from gdexp.cli.exit_statuses import EXIT_STATUSES
from gdexp.cli.main import main
from gdexp.core import GdexpError, Interrupted
from gdexp.descent.stopping import Status, Stopping
from gdexp.optimizers.registry import RULES
from gdexp.optimizers.schedule_registry import SCHEDULES
from gdexp.problems.registry import PROBLEMS
from gdexp.sweeps.study import attributes
from gdexp.tracking.recorded_names import FILES, METRICS, TAGS
from tests.support.commands import composed

OTHER_NAMES = {
    *("gdexp.worker.", "gdexp.record", "gdexp.stop", "gdexp.objects."),
    *("gdexp.chosen", "gdexp.sweep_folder"),
}
"""Names in a study, in a process or of an object, which are no tags of a run."""


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    """The pages that are made from the code."""
    return {place.removeprefix("reference/"): site.generated(place) for place in site.GENERATED}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["+sweep", "+rerun", "+compare", "+export", "+inspect", "+benchmark"]
)
def test_every_key_of_a_command_is_on_the_page_of_keys(
    command: str, reference: dict[str, str]
) -> None:
    text = "".join(reference.values())
    for key in config.flatten(composed(f"{command}=default")):
        if not key.endswith(".name") and not key.startswith("sweep.space."):
            assert f"| `{key}` |" in text, key
    assert "| `sweep.name` |" in text


@pytest.mark.slow
def test_every_problem_rule_schedule_and_name_is_in_the_reference(
    reference: dict[str, str],
) -> None:
    for page, names in (("problems.md", PROBLEMS), ("rules.md", {**RULES, **SCHEDULES})):
        headings = re.findall(r"^##+ (\S+)$", reference[page], flags=re.MULTILINE)
        assert {*names} <= {*headings}
    assert all(f"\n### {name}\n" in reference["api.md"] for name in gdexp.__all__)
    for name in [*METRICS, *TAGS, *FILES, *map(str, Status)]:
        assert f"| `{name}` |" in reference["records.md"]
    assert "| `stopping.max_iterations` | `100000` | an integer from 1 to" in reference["config.md"]


def test_exit_statuses_are_those_of_the_errors() -> None:
    def below(cls: type[GdexpError]) -> set[type[GdexpError]]:
        return {cls}.union(*(below(each) for each in cls.__subclasses__()))

    given = {str(each.exit_status) for each in below(GdexpError)}
    assert given | {"0", "128+N"} == {*EXIT_STATUSES}
    assert Interrupted(2).exit_status == 130


def test_the_names_of_tags_are_those_in_the_code() -> None:
    folder = Path(gdexp.__file__).parent
    rooms = {path.name for path in folder.iterdir()}
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        if path.name != "recorded_names.py":
            for name in re.findall(r"\"(gdexp\.[a-z_.]+)\"", path.read_text(encoding="utf-8")):
                found |= {name} if name in TAGS or name.split(".")[1] not in rooms else set()
    of_studies = {value for name, value in vars(attributes).items() if name.isupper()}
    assert {*TAGS} <= found
    assert found - of_studies - OTHER_NAMES <= {*TAGS}


@pytest.mark.slow
def test_what_runs_hold_is_in_the_reference(here: Path) -> None:
    for line in (["+sweep", "sweep.seeds=2"], ["+sweep"], [], ["+rerun"]):
        short = ["sweep.n_trials=2"] if "+sweep" in line else []
        assert main([*line, *short]) == 0
    with closing(sqlite3.connect(here / "mlflow.db")) as database:
        tags, metrics = (
            {row[0] for row in database.execute(f"SELECT DISTINCT key FROM {name}")}
            for name in ("tags", "metrics")
        )
    assert {tag for tag in tags if not tag.startswith("mlflow.")} <= {*TAGS}
    assert {name for name in metrics if not name.startswith("log10/")} <= {*METRICS}
    held = {path.relative_to(here).parts for path in here.glob("mlartifacts/**/artifacts/**/*")}
    names = {parts[parts.index("artifacts") + 1] for parts in held}
    known = {name.rstrip("/") for name in FILES}
    assert {name for name in names if not name.startswith("best_")} <= known


def test_what_a_key_allows_is_what_its_error_says() -> None:
    assert allowed(Stopping, "threshold") == "a number > 0"
    assert allowed(Stopping, "max_iterations") == "an integer from 1 to 1,000,000,000"
    assert allowed(Stopping, "mode") == "max, min or null"
    assert allowed(Stopping, "absolute") == "true or false"


def test_comments_of_config_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "# @package _global_\n# python -m gdexp a=1\n# Says it.\na: 1 # one\n# and more\n\n# not\n"
        "b:\n  c: [1] # list\n",
        encoding="utf-8",
    )
    file = read(path)
    assert (file.command, file.text) == ("python -m gdexp a=1", "Says it.")
    found = [(key.name, key.default, key.comment) for key in file.keys]
    assert found == [("a", "1", "one and more"), ("b", "", ""), ("b.c", "[1]", "list")]


def test_docstrings_become_markdown() -> None:
    text = (
        "Return `a*b` < c*d.\n\nAs in::\n\n    import torch\n\nArgs:\n    x: the\n        point.\n"
    )
    assert from_docstring(text) == (
        "Return `a*b` &lt; c\\*d.\n\nAs in:\n\n```python\nimport torch\n```\n\n"
        "**Args:**\n\n- `x`: the point.\n"
    )
    assert table(["a"], [["b\nc"]]) == "| a |\n| --- |\n| b c |\n"
    assert escaped("a | `b|c`") == "a &#124; `b|c`"


class Loads(HTMLParser):
    """Collects what a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.found.append(given.get("src") or "")
        elif tag == "link" and given.get("rel") != "canonical":
            self.found.append(given.get("href") or "")


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    built = site.build(tmp_path / "docs")
    for place in [*site.written_pages(), *site.GENERATED]:
        path = built / place.replace(".md", ".html")
        loads = Loads()
        loads.feed(path.read_text(encoding="utf-8"))
        assert loads.found
        assert [each for each in loads.found if "//" in each] == []
    for style in built.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8"))
    assert (built / "search.json").stat().st_size > 50_000


@pytest.mark.slow
def test_a_link_that_leads_nowhere_ends_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "generated", lambda place: "# A\n[b](b.md#c)\n")
    with pytest.raises(site.BuildFailed, match="does not exist"):
        site.build(tmp_path / "docs")
