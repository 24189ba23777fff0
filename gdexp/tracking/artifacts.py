"""Writing the artifacts of a run: into a local folder, or by an upload."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path


def write_files(folder: Path, artifacts: Mapping[str, bytes]) -> None:
    """Write files by name below a folder; create the folders that are missing."""
    made: set[Path] = set()
    for name, content in artifacts.items():
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        try:
            path.write_bytes(content)
        except OSError as error:
            error.filename = str(path)  # a failed write, unlike a failed open, does not say where
            raise


def upload(log_artifacts: Callable[[str], object], artifacts: Mapping[str, bytes]) -> None:
    """Write artifacts into a temporary folder and pass it to MLflow, which takes only folders.

    Args:
        log_artifacts: takes the name of the folder.
        artifacts: file name to content.
    """
    if not artifacts:
        return
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), artifacts)
        log_artifacts(folder)
