"""The journal file: what is read of it, in whatever parts it is written."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.study import StudyDirection

from gdexp.sweeps.study import journal_file
from gdexp.sweeps.study.journal_file import Journal
from gdexp.sweeps.study.journal_storage import JournalStudyStorage
from tests.support.long_form import share

CHANGES: list[dict[str, Any]] = [{"op_code": n, "worker_id": "w" * n} for n in range(12)]


def test_lines_that_are_decoded_together_share_their_keys(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    journal.append_logs(CHANGES)
    first, second = list(journal.read_logs(0))[:2]
    assert all(mine is other for mine, other in zip(first, second, strict=True))


@pytest.mark.slow
@settings(max_examples=share(200))
@given(
    at_once=st.integers(1, 13),
    cuts=st.lists(st.integers(0, 400), max_size=4),
    known=st.lists(st.integers(0, 12), min_size=5, max_size=5),
)
def test_every_change_is_read_once_its_line_is_whole(
    tmp_path_factory: pytest.TempPathFactory, at_once: int, cuts: list[int], known: list[int]
) -> None:
    """Another process writes the file in parts that may end within a line."""
    path = tmp_path_factory.mktemp("study") / "a.journal"
    Journal(path).append_logs(CHANGES)
    whole = path.read_bytes()
    path.write_bytes(b"")
    journal = Journal(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_file, "LINES_AT_ONCE", at_once)
        ends = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
        for (begin, end), start in zip(pairwise(ends), known, strict=False):
            with path.open("ab") as file:
                file.write(whole[begin:end])
            there = whole[:end].count(b"\n")
            if start <= there:
                assert list(journal.read_logs(start)) == CHANGES[start:there]
        assert list(journal.read_logs(0)) == CHANGES


def test_changes_of_a_group_are_not_read_from_the_file_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step back would read the whole file: a sweep's time would grow with its square."""
    storage = JournalStudyStorage(tmp_path / "a.journal")
    study = storage.create_new_study([StudyDirection.MINIMIZE], "s")
    storage.create_new_trial(study)
    read: list[bytes] = []

    def told(file: Iterable[bytes], count: int) -> list[bytes]:
        lines = list(islice(file, count))
        read.extend(lines)
        return lines

    monkeypatch.setattr(journal_file, "islice", told)
    for number in range(5):
        with storage.grouped_writes():
            storage.set_attributes(study, {0: {f"key{number}": number}})
    with storage.grouped_writes():
        storage.end_trials(study, {0: [1.0]})
    assert len(read) == len(set(read)) <= 2
    assert storage.get_all_trials(study)[0].user_attrs == {f"key{n}": n for n in range(5)}
