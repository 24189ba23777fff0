"""Where a run's files are; MLflow's client finds them only from the folder of the database."""

from __future__ import annotations

from pathlib import Path


def run_folder(folder: Path, run_id: str, experiment: str = "gdexp") -> Path:
    """The folder of a run's files in the store of a folder."""
    return folder / "mlartifacts" / experiment / run_id / "artifacts"
