"""A file that gdexp did not make is never changed: the paths at which a sweep writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gdexp import BadInput
from gdexp.cli.main import main
from gdexp.sweeps.study.journal_check import check_journal
from gdexp.sweeps.study.journal_storage import repair_journal

CREATED = '{"op_code":0,"worker_id":"a-b-c","study_name":"s","directions":[1]}\n'
SWEEP = ["+sweep", "sweep.name=s", "sweep.sampler=random", "sweep.storage=j"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"j": '{"results": [1, 2]}\n'}, "is no Optuna journal file; it is left as it is"),
        ({"j": '{"results": [1, 2]}'}, "is no Optuna journal file"),
        ({"j": '{\n  "op_code": 0,\n  "worker_id": "a"\n}\n'}, "is no Optuna journal file"),
        ({"j": '{"op_code":"a","worker_id":"b"}\n'}, "is no Optuna journal file"),
        ({"j": "{"}, "is no Optuna journal file"),
        ({"j": ""}, "is no Optuna journal file"),
        ({"j": "[" * 100_000 + "\n"}, "is no Optuna journal file"),
        ({"j.lock": "[[package]]\n"}, "needs the name j.lock for a lock"),
        ({"j.lock": ""}, "needs the name j.lock for a lock"),
        ({"j": CREATED, "j.lock": "mine"}, "needs the name j.lock for a lock"),
        ({".j.held": "notes\n"}, "needs the name .j.held for a lock"),
    ],
)
def test_a_file_of_the_users_is_refused_and_left_as_it_is(
    here: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], words: str
) -> None:
    for name, content in files.items():
        (here / name).write_text(content)
    before = contents(here)
    assert main(SWEEP) == 2
    assert words in capsys.readouterr().err
    assert contents(here) == before


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"j": CREATED},
        {"j": '{"op_code": 0, "worker_id": "by hand"}\n'},
        {"j": CREATED[:30]},  # a kill tore the first line
        {"j": "", ".j.held": "4711"},  # or came before it
        {"j": CREATED, "j.lock": "", ".j.held": ""},
    ],
)
def test_what_gdexp_or_optuna_left_is_taken(here: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (here / name).write_text(content)
    check_journal(here / "j")


def test_what_is_no_regular_file_is_refused_without_waiting(here: Path) -> None:
    os.mkfifo(here / "pipe")
    (here / "folder").mkdir()
    for place in (here / "pipe", Path("/dev/null"), here / "folder", here / ("n" * 200)):
        with pytest.raises(BadInput):
            check_journal(place)


def test_putting_a_journal_in_order_removes_nothing_of_the_users(here: Path) -> None:
    mine = {"j.lock.rename": "a", "j.lock-of-mine.rename": "b", "j.txt": "c", "xj.lock": "d"}
    optunas = ["j.lock", "j.lock0123abcd-0123-4567-89ab-0123456789ab.rename"]
    for name, content in {**mine, **dict.fromkeys(optunas, ""), "j": CREATED + '{"op'}.items():
        (here / name).write_text(content)
    repair_journal(here / "j")
    assert {path.name: path.read_text() for path in here.iterdir()} == {**mine, "j": CREATED}
