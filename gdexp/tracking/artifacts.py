"""Artifacts written straight into a folder of this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path


def local_folder(uri: str) -> Path | None:
    """The folder that an artifact URI stands for; None where it is on a server."""
    from mlflow.utils import file_utils

    if not uri.startswith(("file:", "/")):
        return None
    path_of: Callable[[str], str] = file_utils.local_file_uri_to_path
    return Path(path_of(uri))


def write_files(folder: Path, artifacts: Mapping[str, bytes]) -> None:
    """Write files by name below a folder, which is made where it is missing."""
    made: set[Path] = set()
    for name, content in artifacts.items():
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        try:
            path.write_bytes(content)
        except OSError as error:
            error.filename = str(path)  # a write that fails, unlike an open, does not say where
            raise
