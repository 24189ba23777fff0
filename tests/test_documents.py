"""The README and the site are run as a reader does it: page by page, each block as it stands.

Each page has a folder of its own, where its blocks are copied in their order, whole, with their
comments. What would take long is shortened by these rules:

- a sweep ends after three trials;
- a sweep with several workers, SLURM or PostgreSQL is only previewed;
- a sweep of trainings that the README shows is run there, and previewed on the other pages;
- `scripts/NAME` other than `scripts/run`, `pip` and `source` are looked up, not run.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import pytest
from documentation import site

import gdexp
from gdexp.cli.main import main
from gdexp.config.arguments import MULTIRUN, rewrite
from tests.support.commands import composed
from tests.support.documents import (
    LEAD,
    Block,
    anchors,
    blocks,
    inline_commands,
    is_plain,
    lines,
    prose,
    words,
)

ROOT = Path(gdexp.__file__).parents[1]
OWN = ROOT / "tests" / "own"
README = "README.md"
WRITTEN = [README, *site.written_pages()]
PAGES = [*WRITTEN, *site.GENERATED]
TRIALS = 3
LONG = ("+sweep=slurm", "+sweep=local", "sweep.workers=", "sweep.storage=")
"""The beginnings of arguments that start other processes."""

TRAINED = "experiment=digits"
"""The README's training."""


def source(place: str) -> Path:
    """The file of a document that is written by hand."""
    return ROOT / README if place == README else site.HERE / "pages" / place


def written(place: str) -> str:
    return source(place).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The text of a document; the reference pages are made once."""
    made: dict[str, str] = {}

    def text(place: str) -> str:
        if place not in site.GENERATED:
            return written(place)
        if place not in made:
            made[place] = site.generated(place)
        return made[place]

    return text


@pytest.fixture
def reader(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Reader]:
    """A reader in an empty folder; what is imported from it is forgotten afterwards."""
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(OWN))])
    monkeypatch.syspath_prepend(here)
    before = set(sys.modules)
    for name in ("valley", "smooth", "cubic", "test_own"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        before.discard(name)
    yield Reader(here, capsys)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(here)):
            del sys.modules[name]


class Reader:
    """Copies the blocks of one page."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.known: set[str] = set()
        """Sweeps of trainings that are run on another page."""

    def copy(self, block: Block) -> None:
        """Save, run or check a block."""
        if block.name:
            path = self.folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if block.name.startswith("test_"):
                self._test(block.text)
        elif block.language == "python":
            self._python(block.text)
        elif block.language == "sh":
            for line in block.text.splitlines():
                self._command(words(line))
        else:
            assert block.language == "text", block
            first, *rest = block.text.splitlines()
            if first.startswith("$ python -m gdexp") and "+sweep" not in first:
                self._shown(words(first.removeprefix("$ ")), rest)

    def _command(self, given: list[str]) -> None:
        if given[:3] == LEAD:
            status = main(shortened(given[3:], known=self.known))
            said = self._capsys.readouterr()
            assert status == 0, f"{given}\n{said.out[-2000:]}\n{said.err}"
        elif given[0].startswith("scripts/"):
            assert os.access(ROOT / given[0], os.X_OK), given
        else:
            assert given[:2] == ["pip", "install"], given
            extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
            named = re.fullmatch(r"\.\[(\w+)\]", given[2])
            assert named is not None
            assert named[1] in extras["project"]["optional-dependencies"]

    def _shown(self, given: list[str], output: list[str]) -> None:
        status = main(given[3:])
        said = self._capsys.readouterr()
        printed = [" ".join(text.split()) for text in (said.out + said.err).splitlines()]
        assert status == (2 if "gdexp: error" in said.err else 0), said.err
        for text in output:
            assert text == "…" or " ".join(text.split()) in printed

    def _python(self, code: str) -> None:
        if "load_runs" in code and not (self.folder / "mlflow.db").exists():
            self._command([*LEAD, "+sweep"])
        scope: dict[str, Any] = {"__name__": "page"}
        self._capsys.readouterr()
        exec(compile(code, "page", "exec"), scope)
        printed = self._capsys.readouterr().out.splitlines()
        promised = re.findall(r"^ *print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
        if promised:
            assert printed == promised

    def _test(self, code: str) -> None:
        scope: dict[str, Any] = {}
        exec(compile(code, "page", "exec"), scope)
        tests = [value for name, value in scope.items() if name.startswith("test_")]
        assert tests
        for each in tests:
            each()


def shortened(given: list[str], known: Container[str] = ()) -> list[str]:
    """The arguments of a command, of a sweep those of a short one, or of a preview if known."""
    if not any(word == "-m" or word.startswith("+sweep") for word in given):
        return given
    long = any(word.startswith(LONG) for word in given) or " ".join(given) in known
    if long or "sweep.preview=true" in given:
        return [*(w for w in given if w != "sweep.preview=true"), "sweep.preview=true"]
    kept = [word for word in given if not word.startswith("sweep.n_trials=")]
    asked = [int(word.partition("=")[2]) for word in given if word not in kept]
    return [*kept, f"sweep.n_trials={min([TRIALS, *asked])}"]


def test_the_readme_is_short_and_the_pages_have_examples() -> None:
    assert (ROOT / README).stat().st_size < 8_000
    commands = [line for place in WRITTEN for line in lines(written(place))]
    assert len(commands) > 60
    assert len([b for p in WRITTEN for b in blocks(written(p)) if b.language == "python"]) > 10


@pytest.mark.slow
@pytest.mark.parametrize("place", PAGES)
def test_a_page_runs_as_it_is_copied(
    place: str, page: Callable[[str], str], reader: Reader
) -> None:
    text = page(place)
    assert [line for line in lines(text) if not is_plain(line)] == []
    if place != README:
        shown = (" ".join(words(line)[3:]) for line in lines(page(README)))
        reader.known.update(line for line in shown if TRAINED in line.split())
    for block in blocks(text):
        reader.copy(block)
    for line in inline_commands(text):
        given = words(line)[3:]
        if "--help" not in given and "--cfg" not in given:
            composed(*(word for word in rewrite(given) if word not in MULTIRUN))


@pytest.mark.parametrize("place", WRITTEN)
def test_every_line_for_a_shell_is_words_alone(place: str) -> None:
    assert [line for line in lines(written(place)) if not is_plain(line)] == []
    assert {block.language for block in blocks(written(place))} <= {"sh", "text", "python", "yaml"}
    assert written(place).count("```") == 2 * len(blocks(written(place)))


def test_a_shell_reads_the_lines_as_the_tests_do() -> None:
    typed = list(dict.fromkeys(line for place in WRITTEN for line in lines(written(place))))
    script = "".join(f"show {line}\n" for line in typed)
    show = "show() { printf '%s\\n' \"$@\" --; }\n"
    done = subprocess.run(["bash", "-c", show + script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        word for line in typed for word in [*shlex.split(line), "--"]
    ]


@pytest.mark.parametrize("name", ["valley.py", "smooth.py", "cubic.py", "test_own.py"])
def test_the_files_of_the_pages_are_those_in_tests(name: str) -> None:
    copies = [b.text for p in WRITTEN for b in blocks(written(p)) if b.name == name]
    assert copies
    assert {*copies} == {(OWN / name).read_text(encoding="utf-8")}


@pytest.mark.parametrize("place", WRITTEN)
def test_links_lead_to_pages_and_anchors(place: str) -> None:
    base = source(place)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(written(place))):
        path, _, anchor = target.partition("#")
        assert "://" not in target, f"{target}: a source is named by title, so that it lasts"
        inside = (base.parent / path).resolve() if path else base
        made = place != README and inside.relative_to(site.HERE / "pages").as_posix()
        if made in site.GENERATED:
            continue  # the build checks them, anchors too
        if path.startswith("../images/"):
            inside = ROOT / ".images" / Path(path).name
        assert inside.exists(), target
        assert not anchor or anchor in anchors(inside), target
    for alt in re.findall(r"!\[([^\]]*)\]", written(place)):
        assert len(alt) > 30


def test_the_readme_names_what_is_there() -> None:
    for name in re.findall(r"`((?:scripts|conf|gdexp|tests)/[\w./-]*)", written(README)):
        assert (ROOT / name).exists(), name
