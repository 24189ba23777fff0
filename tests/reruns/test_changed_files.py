"""A rerun names the user's own files that changed, and their changed lines, first."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.reruns.causes import find_causes
from tests.support.commands import gdexp
from tests.support.user_problems import FILES, LINE, write_bowl

pytestmark = pytest.mark.slow

TRUST = "trust=[bowl.Bowl]"


def test_helper_modules_and_data_are_named_with_their_lines(here: Path) -> None:
    write_bowl(here)
    gdexp(*LINE, "optimizer.lr=0.1", cwd=here)
    (here / "helper.py").write_text(FILES["helper.py"].replace("1.0", "2.00"))
    (here / "data.csv").write_text("1.0,3.0")
    done = gdexp("+rerun", TRUST, "rerun.record=false", cwd=here, expect=4)
    said = " ".join(done.stdout.split())
    first = said.index("could be the data file data.csv changed (- 1.0,2.0; + 1.0,3.0)")
    assert said.index("the module helper.py changed (- SCALE = 1.0; + SCALE = 2.00)") > first


def test_a_portable_run_is_recorded_anew_only_where_the_code_changed(here: Path) -> None:
    write_bowl(here)
    gdexp(*LINE, "optimizer.lr=0.1", "engine=portable", cwd=here)
    done = gdexp("+rerun", TRUST, "rerun.record=false", cwd=here)
    assert "program replayed as stored (sha256 " in " ".join(done.stdout.split())
    (here / "late.py").write_text("ONE = 2.00\n")
    done = gdexp("+rerun", TRUST, "rerun.record=false", cwd=here, expect=4)
    said = " ".join(done.stdout.split())
    assert "program recorded anew: late.py changed, and the code as it is now was run" in said
    assert "could be the module late.py changed (- ONE = 1.0; + ONE = 2.00)" in said


def test_without_source_texts_the_changed_file_is_still_named(here: Path) -> None:
    write_bowl(here)
    gdexp(*LINE, "optimizer.lr=0.1", "tracking.source=false", cwd=here)
    kept = {path.name: path.read_text() for path in here.glob("mlartifacts/**/*.json")}
    kept |= {path.name: path.read_text() for path in here.glob("mlartifacts/**/*.txt")}
    assert "environment.json" in kept
    assert not {"problem_source.txt", "user_sources.json", "source.diff"} & set(kept)
    assert "SCALE" not in "".join(kept.values())
    (here / "helper.py").write_text(FILES["helper.py"].replace("1.0", "2.00"))
    done = gdexp("+rerun", TRUST, "rerun.record=false", cwd=here, expect=4)
    assert "could be the module helper.py changed" in " ".join(done.stdout.split())
    assert "SCALE" not in done.stdout


CODE = {"files": {"a.py": "1", "late.py": "2", "d.csv": "3"}, "distributions": {"pandas": "1"}}


def causes(**files: str) -> list[str]:
    """The causes when the rerun has these files, `_` standing for a dot in their names."""
    named = {name.replace("_", "."): digest for name, digest in files.items()}
    here = {"code": {"files": named, "distributions": {"pandas": "2"}}}
    return [str(each) for each in find_causes({"code": CODE}, here)]


def test_each_kind_of_change_has_its_sentence() -> None:
    version = "the version of pandas: 1 there, 2 here"
    assert causes(a_py="1", late_py="2", d_csv="3") == [version]
    assert causes(a_py="1", d_csv="4") == [
        "the data file d.csv changed",
        "the module late.py was used there and is not used here",
        version,
    ]
    assert causes(a_py="1", late_py="2", d_csv="3", e_csv="1", more_py="1") == [
        "the data file e.csv is used here and was not used there",
        version,
    ]


@pytest.mark.parametrize("code", [None, 3, {"files": 3}, {"files": {"a.py": 3, "b": None}}])
def test_a_record_without_digests_says_nothing(code: object) -> None:
    assert find_causes({"code": code}, {"code": CODE}) == ()
