"""What every test shares: a folder of its own, no telemetry, a quiet MLflow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same cases in every run, and no verdict from how busy the machine is.
settings.register_profile("gdexp", deadline=None, derandomize=True)
settings.load_profile("gdexp")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
