"""The user's own code and data behind an import path: which files count, and when they changed."""

from __future__ import annotations

import importlib
import os
import pickle
import py_compile
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import gdexp
from gdexp.core.bytecode import loaded_another_text
from gdexp.core.errors import BadInput, GdexpError, code_errors
from gdexp.core.opened_files import OpenedFiles
from gdexp.core.own_files import file_digest, is_own
from gdexp.core.user_code import UserCode, changed_files, user_code, watched


@pytest.fixture
def project(here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `proj` that is imported from here, and forgotten afterwards."""
    files = {
        "proj/__init__.py": "",
        "proj/loss.py": "from proj.helper import SCALE\nfrom . import near\nimport json, yaml\n",
        "proj/helper.py": "SCALE = 1\n",
        "proj/near.py": (
            "def later():\n    import proj_late\n\n"
            "def named(name):\n    import importlib\n    return importlib.import_module(name)\n"
        ),
        "proj/unused.py": "",
        "proj_late.py": "",
        "plug_in.py": "from importlib import import_module\nimport_module('plug_in_two')\n",
        "plug_in_two.py": "",
        "another.py": "",
        "data.csv": "1,2\n",
    }
    for name, text in files.items():
        path = here / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(here)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files are edited within a second
    before = set(sys.modules)
    yield here
    for name in set(sys.modules) - before:
        del sys.modules[name]


def loaded(read: str | None = None) -> UserCode:
    with watched("proj.loss.f") as code:
        importlib.import_module("proj.loss")
        code.note_modules()
        if read is not None:
            Path(read).read_text()
    return code


MODULES = {"proj/__init__.py", "proj/loss.py", "proj/helper.py", "proj/near.py"}


def test_what_the_module_imports_and_reads_is_its_code_and_nothing_else(project: Path) -> None:
    importlib.import_module("proj.unused")  # by somebody else
    code = loaded("data.csv")
    assert set(code.digests) == {*MODULES, "data.csv"}
    assert code.digests["data.csv"] == file_digest("data.csv")
    assert not {"json", "gdexp"} & code.distributions.keys()
    assert code.distributions["yaml"]  # the distribution has another name than the module


def test_a_module_that_is_imported_late_joins(project: Path) -> None:
    code = loaded()
    recorded = code.digests
    sys.modules["proj.near"].later()
    assert set(code.digests) - set(recorded) == {"proj_late.py"}
    assert changed_files(code.digests, code) == []


def test_modules_join_that_its_code_names_while_it_runs_and_no_others(project: Path) -> None:
    code = loaded()
    recorded = code.digests
    importlib.import_module("another")  # by somebody else: this file
    threading.Thread(target=importlib.import_module, args=["proj.unused"]).run()
    assert code.digests == recorded
    pickle.loads(b"cproj.near\nnamed\n(S'plug_in'\ntR.")
    assert set(code.digests) - set(recorded) == {"plug_in.py", "plug_in_two.py"}


def test_an_edit_is_seen_and_does_not_change_what_was_loaded(project: Path) -> None:
    code = loaded("data.csv")
    before = code.digests
    (project / "proj/helper.py").write_text("SCALE = 2\n")
    (project / "proj/loss.py").touch()
    assert code.edited == ["proj/helper.py"]
    assert code.digests == before


def test_changed_and_missing_files_are_named_also_those_not_loaded(project: Path) -> None:
    code = loaded("data.csv")
    recorded = {**code.digests, "proj_late.py": str(file_digest("proj_late.py"))}
    assert changed_files(recorded, code) == []
    (project / "proj_late.py").write_text("changed = 1\n")
    assert changed_files({**recorded, "gone.csv": "0"}, code) == ["gone.csv", "proj_late.py"]


def test_a_module_that_is_imported_anew_is_read_anew(project: Path) -> None:
    first = loaded("data.csv").digests
    (project / "proj/helper.py").write_text("SCALE = 2\n")
    for name in [name for name in sys.modules if name.startswith("proj")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    second = loaded().digests
    assert second["proj/helper.py"] != first["proj/helper.py"]
    assert "data.csv" not in second


def test_a_module_is_recorded_as_it_was_executed(project: Path) -> None:
    code = loaded()
    near = importlib.import_module("proj.near")
    with code_errors("proj"):
        near.later()
    assert not [*project.glob("__pycache__/proj_late*")]
    (project / "proj_late.py").write_text("# while a long loss runs\n")
    assert code.files["proj_late.py"].text == ""
    assert code.edited == ["proj_late.py"]


def test_bytecode_of_another_text_is_told(project: Path) -> None:
    code, late = loaded(), project / "proj_late.py"
    for text in ("VALUE = 1\n", "VALUE = 2\n"):  # of one size and time
        late.write_text(text)
        os.utime(late, (10**9, 10**9))
        if text == "VALUE = 1\n":
            py_compile.compile(str(late))
    importlib.import_module("proj.near").later()
    assert sys.modules["proj_late"].VALUE == 1
    for _ in range(2):
        with pytest.raises(
            GdexpError, match=r"proj_late\.py: Python ran stored bytecode of another"
        ):
            code.note_modules()
    assert loaded_another_text(sys.modules["proj_late"], str(late))
    late.touch()
    assert not loaded_another_text(sys.modules["proj_late"], str(late))
    del sys.modules["proj_late"]
    importlib.import_module("proj.near").later()
    assert sys.modules["proj_late"].VALUE == 2
    assert code.files["proj_late.py"].text == "VALUE = 2\n"
    py_compile.compile(str(late))  # stored after the last change, as usual
    assert not loaded_another_text(sys.modules["proj_late"], str(late))


def test_declared_files_are_found_beside_the_module_or_refused(project: Path) -> None:
    (project / "proj/weights.bin").write_bytes(b"\xff")
    code = loaded()
    code.declare(["weights.bin", Path("data.csv")])
    assert {"proj/weights.bin", "data.csv"} <= set(code.digests)
    for wrong in (["no.csv"], "data.csv", [1]):
        with pytest.raises(BadInput, match="files"):
            code.declare(wrong)


def test_names_do_not_hold_the_folder_of_the_machine(project: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside" / "far.csv"
    outside.parent.mkdir()
    outside.write_text("1")
    code = loaded(str(outside))
    assert f"…/{outside.parent.name}/far.csv" in code.digests
    assert str(tmp_path.parent) not in "".join(code.digests)


@pytest.mark.parametrize(
    ("file", "own"),
    [
        (os.__file__, False),
        (pytest.__file__, False),
        (gdexp.__file__, False),
        ("<string>", False),
        ("/proc/cpuinfo", False),
        (__file__, True),
    ],
)
def test_own_is_what_no_one_installed(file: str, own: bool) -> None:
    assert is_own(file) is own


def test_only_what_is_read_is_collected(here: Path) -> None:
    for name in ("read.csv", "early.csv"):
        (here / name).write_text("1")
    begin, ended = threading.Event(), threading.Event()

    def by_another() -> None:
        begin.wait(5)
        (here / "early.csv").read_text()
        ended.set()

    other = threading.Thread(target=by_another)
    other.start()
    with OpenedFiles() as opened:
        begin.set()
        ended.wait(5)
        (here / "read.csv").read_text()
        (here / "made.csv").write_text("1")
        (here / "made.csv").read_text()
        os.close(os.open("read.csv", os.O_RDONLY))
        open(os.__file__).close()
    other.join()
    (here / "early.csv").read_text()
    assert [Path(path).name for path in opened.paths] == ["read.csv"]


def test_a_library_that_is_imported_reads_its_own_caches(here: Path) -> None:
    (here / "site-packages").mkdir()
    (here / "site-packages/lib_with_cache.py").write_text(
        "with open('fonts.json') as f: f.read()\n"
    )
    (here / "fonts.json").write_text("{}")
    sys.path.append(str(here / "site-packages"))
    with OpenedFiles() as opened:
        importlib.import_module("lib_with_cache")
    sys.path.remove(str(here / "site-packages"))
    assert opened.paths == []


def test_a_digest_is_of_the_bytes_also_where_a_tool_sets_the_time(here: Path) -> None:
    digests = set()
    for text in "12":
        (here / "set.csv").write_text(text)
        os.utime(here / "set.csv", (10**9, 10**9))
        digests.add(file_digest(str(here / "set.csv")))
    assert len(digests) == 2


def test_no_digest_of_what_is_no_regular_file(here: Path) -> None:
    os.mkfifo(here / "fifo")
    assert file_digest(str(here / "fifo")) is None
    assert file_digest(str(here)) is None
    assert user_code("no.such.module").digests == {}
