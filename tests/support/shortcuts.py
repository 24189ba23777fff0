"""What commands do in less time in tests: they copy a new database and draw small pictures.

MLflow takes 1.7 seconds to create its tables, matplotlib 1.5 for the pictures of a sweep. Tests of
these use the real thing.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = "tests.support.shortcuts"
Create = Callable[[Path, str], None]
TEMPLATE = "GDEXP_TESTS_TEMPLATE"
"""The environment variable that names the database to be copied."""


def take(template: str) -> None:
    """Take both shortcuts, in a process that runs one command.

    Args:
        template: path of the database that is copied; it is made when it is first needed.
    """
    from gdexp.tracking import mlflow_internals

    for owner, name, stand_in in small_pictures():
        setattr(owner, name, stand_in)
    copy = copying(mlflow_internals.create_database, Path(template))
    setattr(mlflow_internals, "create_database", copy)  # noqa: B010 - a stand-in


def small_pictures() -> list[tuple[type, str, Callable[..., Any]]]:
    """Stand-ins for what turns a drawing into a file: each writes a picture of a few points.

    Returns:
        The class, the name of its method, and the stand-in.
    """
    from matplotlib.figure import Figure
    from PIL import Image

    from gdexp.display.drawing.canvas import Canvas

    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "png")

    def savefig(self: Figure, file: io.BytesIO, **options: object) -> None:
        del self, options
        file.write(buffer.getvalue())

    def png(self: Canvas) -> bytes:
        del self
        return buffer.getvalue()

    return [(Figure, "savefig", savefig), (Canvas, "png", png)]


def copying(create: Create, template: Path) -> Create:
    """A stand-in for the function that creates a database: it copies one that it creates once."""

    def create_or_copy(path: Path, artifacts: str) -> None:
        if path.parent == template.parent:
            create(path, artifacts)
            return
        from gdexp.tracking.database_creation import ensure_database

        ensure_database(template)
        shutil.copy(template, path)
        with closing(sqlite3.connect(path)) as connection:
            query = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0"
            connection.execute(query, (f"{artifacts}/0",))
            connection.commit()

    return create_or_copy
