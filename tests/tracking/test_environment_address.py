"""`MLFLOW_TRACKING_URI`: used where `tracking.uri` is not given, or refused by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from gdexp.cli.main import main
from gdexp.core.errors import BadInput
from gdexp.tracking.settings import TrackingSettings


def test_it_is_used_where_no_address_is_given(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert TrackingSettings().database == here / "other.db"
    assert TrackingSettings(uri="sqlite:///mine.db").database == here / "mine.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert TrackingSettings().is_server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert TrackingSettings().database == here / "mlflow.db"


@pytest.mark.parametrize("address", ["file:///runs", "./mlruns", "databricks", "sqlite:///"])
def test_what_cannot_be_used_is_refused_by_name(
    here: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(BadInput, match=r"it comes from MLFLOW_TRACKING_URI"):
        TrackingSettings()
    assert list(here.iterdir()) == []


def test_a_command_writes_there_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    assert main(["stopping.threshold=1e-3"]) == 0
    assert "in other.db" in capsys.readouterr().out
    assert {path.name for path in here.iterdir()} == {"other.db", "mlartifacts"}
