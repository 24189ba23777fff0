"""The parts of Optuna that gdexp builds on: the error names what another version lacks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import optuna
import pytest

from gdexp.core.errors import GdexpError
from gdexp.sweeps.optuna_internals import storage_of, with_cache
from gdexp.sweeps.study.journal_storage import JournalStudyStorage
from gdexp.sweeps.study.study_storage import StudyStorage


def test_the_storage_of_a_study_is_found(tmp_path: Path) -> None:
    storage = JournalStudyStorage(tmp_path / "study.journal")
    assert storage_of(optuna.create_study(storage=storage)) is storage


def test_a_server_storage_gets_a_cache() -> None:
    tables = optuna.storages.RDBStorage("sqlite://")
    assert set(vars(type(with_cache(tables)))) >= {"get_all_trials", "get_trial"}
    tables.engine.dispose()


def test_a_missing_storage_of_a_study_is_named() -> None:
    study = cast("optuna.Study", SimpleNamespace())
    with pytest.raises(GdexpError, match=r"^optuna [0-9.]+ has no optuna\.Study\._storage, "):
        storage_of(study)


def test_a_missing_cache_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(optuna.storages, "_CachedStorage")
    with pytest.raises(GdexpError, match=r" has no optuna\.storages\._CachedStorage, "):
        with_cache(cast("optuna.storages.RDBStorage", None))


@pytest.mark.parametrize("theirs", [optuna.storages.JournalStorage, optuna.storages._CachedStorage])
def test_every_operation_of_a_storage_is_guarded(theirs: type[Any]) -> None:
    heartbeats = {
        "record_heartbeat",
        "get_heartbeat_interval",
        "get_heartbeat_stale_trial_callback",
    }
    others = {"restore_replay_result"}
    offered = {name for name in vars(theirs) if not name.startswith("_")}
    assert offered - heartbeats - others <= set(vars(StudyStorage))
