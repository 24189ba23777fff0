"""Config files of the user's: one with a shipped one's name is used, and an error has a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins

from gdexp.cli.main import main
from gdexp.config.hydra_internals import OWN, ConfigFile, reading_config_files

GLOBAL = "# @package _global_\n"


@pytest.fixture
def mine(here: Path) -> Path:
    """A folder of one's own config files in the current directory."""
    folder = here / "mine"
    for group in ("problem", "sweep", "experiment"):
        (folder / group).mkdir(parents=True)
    return folder


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The line that a command with the folder ends with, having written nothing."""
    assert main([*words, "--config-dir", "mine"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["mine"]
    return err.removeprefix("gdexp: error: ").rstrip("\n")


@pytest.mark.slow
def test_a_file_with_a_shipped_ones_name_is_used_and_that_is_said(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "problem/matrix.yaml").write_text("name: matrix\ntarget: [7.0]\nx0: [1.0]\n")
    for command in (["--cfg", "job"], ["+sweep", "sweep.preview=true"]):
        assert main([*command, "--config-dir", "mine"]) == 0
        out, err = capsys.readouterr()
        assert err.count("mine/problem/matrix.yaml is used in place of gdexp's own") == 1
        assert "target:\n  - 7.0" in out or command[0] == "+sweep"
    assert main(["--cfg", "job"]) == 0
    assert "7.0" not in capsys.readouterr().out


def test_other_files_are_found_beside_the_shipped_ones_in_silence(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "problem/own.yaml").write_text("name: matrix\ntarget: [7.0]\nx0: [1.0]\n")
    (mine / "experiment/one.yaml").write_text(f"{GLOBAL}optimizer:\n  lr: 0.25\n")
    assert main(["problem=own", "experiment=one", "--cfg", "job", "--config-dir", "mine"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "lr: 0.25" in out
    assert "- 7.0" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"name: matrix\n\ttarget: 3\n", "2:1", "a tab stands here; YAML is indented with spaces"),
        (b"name: matrix\nx0: [1, 2\n", "3:1", "expected ',' or ']'"),
        (b"name: matrix\nname: autograd\n", "2:1", "duplicate key name"),
        ("# ü\nname: a: b\n".encode(), "2:8", "mapping values are not allowed here"),
        (b"\xef\xbb\xbfname: matrix\n", "1:1", "begins with a byte-order mark"),
        (b"name: matrix\n# \xe9\n", "2:3", "is not UTF-8"),
        (b"name: matrix\nx0: \x07\n", "2:5", "stands here"),
        (b"# @package _global_ x\nname: matrix\n", "1:1", "Too many components"),
        (b"# Mine.\n\n# @package _global_\nname: matrix\n", "3:1", "move it to the top"),
        (b"- name\n", "1:1", "must be a mapping of keys to values"),
        (b"3\n", "1:1", "int"),
    ],
)  # fmt: skip
def test_an_error_in_a_file_names_file_line_and_column(
    mine: Path, capsys: pytest.CaptureFixture[str], content: bytes, place: str, words: str
) -> None:
    (mine / "problem/own.yaml").write_bytes(content)
    said = complaint(capsys, "problem=own")
    assert said.startswith(f"config=problem/own: mine/problem/own.yaml:{place}: ")
    assert words in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content", "line", "key"),
    [
        ("experiment/own", "optimizer:\n  lr: 2.0\n", ["experiment=own"], "experiment="),
        ("sweep/own", "sweep:\n  n_trials: 3\n", ["+sweep=own"], "sweep.sweep="),
        ("problem/own", "problem:\n  name: matrix\n", ["problem=own"], "problem.problem="),
    ],
)
def test_a_file_without_its_package_line_is_told_so(
    mine: Path, capsys: pytest.CaptureFixture[str], file: str, content: str, line: list[str],
    key: str,
) -> None:  # fmt: skip
    (mine / f"{file}.yaml").write_text(content)
    said = complaint(capsys, *line)
    assert said.startswith(key)
    assert "the line '# @package _global_'" in said


def test_hydra_reads_its_files_where_they_are_looked_at() -> None:
    Plugins.instance()
    files: Any = SourcesRegistry.instance().resolve("file")
    before = (ConfigRepository.initialize_sources, files.load_config)
    assert hasattr(files, "_normalize_file_name"), "Hydra's FileConfigSource is another"
    seen: list[ConfigFile] = []

    def read(file: ConfigFile) -> object:
        seen.append(file)
        return file.load()

    with reading_config_files(read), pytest.raises(Exception, match="not found"):
        files(OWN, "file:///nowhere").load_config("problem/x")
    assert [(file.name, file.own) for file in seen] == [("problem/x.yaml", True)]
    assert (ConfigRepository.initialize_sources, files.load_config) == before
