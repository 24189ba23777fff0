"""New databases are copies of a template: whole, their own, and made without one too."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from gdexp.tracking import database_template, mlflow_internals
from gdexp.tracking.database_creation import ensure_database
from gdexp.tracking.database_template import CACHE_VARIABLE, template_path, template_revision


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


def made(folder: Path) -> list[str]:
    """A new database as SQL, without times and places."""
    folder.mkdir()
    ensure_database(folder / "mlflow.db")
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        experiment = connection.execute("SELECT * FROM experiments").fetchone()
        connection.execute("DELETE FROM experiments")
        assert experiment[2] == f"{folder.as_uri()}/mlartifacts/0"
        assert abs(experiment[4] / 1000 - time.time()) < 3600
        assert experiment[4] == experiment[5]
        return [*connection.iterdump(), repr((*experiment[:2], experiment[3], experiment[6:]))]


@pytest.mark.slow
def test_a_copy_is_what_mlflow_makes(cache: Path, tmp_path: Path) -> None:
    first = made(tmp_path / "made by MLflow")
    template = template_path()
    assert template is not None
    assert template.parent == cache / "gdexp"
    assert template_revision() is not None
    assert made(tmp_path / "a copy") == first
    assert not [path for path in template.parent.iterdir() if path != template]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"SQLite format 3\0", b"no database at all"])
def test_a_damaged_template_is_made_again(cache: Path, tmp_path: Path, damage: bytes) -> None:
    template = template_path()
    assert template is not None
    template.parent.mkdir(parents=True)
    template.write_bytes(damage)
    assert made(tmp_path / "new")
    assert damage == b"" or template.read_bytes() != damage


def test_a_template_with_runs_is_not_used(cache: Path, tmp_path: Path) -> None:
    made(tmp_path / "first")
    template = template_path()
    assert template is not None
    with closing(sqlite3.connect(template)) as connection:
        connection.execute("INSERT INTO runs (run_uuid) VALUES ('x')")
        connection.commit()
    made(tmp_path / "second")
    with closing(sqlite3.connect(tmp_path / "second/mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_a_copy_needs_no_mlflow(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "first")
    monkeypatch.setattr(mlflow_internals, "create_database", None)
    made(tmp_path / "second")


def test_without_a_cache_folder_databases_are_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    assert made(tmp_path / "new")
    monkeypatch.setattr(database_template, "template_path", lambda: None)
    assert made(tmp_path / "another")
