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
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = "tests.support.shortcuts"
TEMPLATE = "GDEXP_TESTS_TEMPLATE"
"""The environment variable that names the database to be copied."""


def take(template: str) -> None:
    """Take both shortcuts, in a process that runs one command.

    Args:
        template: path of the database that is copied; it is made when it is first needed.
    """
    from matplotlib.figure import Figure

    from gdexp.tracking import sqlite

    Figure.savefig = small_pictures()  # type: ignore[assignment]
    sqlite._create = copying(sqlite._create, Path(template))


def small_pictures() -> Callable[..., None]:
    """A stand-in for `Figure.savefig` that writes a picture of a few points."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "png")

    def savefig(self: Figure, file: io.BytesIO, **options: object) -> None:
        del self, options
        file.write(buffer.getvalue())

    return savefig


def copying(create: Callable[[Path], None], template: Path) -> Callable[[Path], None]:
    """A stand-in for the function that creates a database: it copies one that it creates once."""

    def create_or_copy(path: Path) -> None:
        if path.parent == template.parent:
            create(path)
            return
        from gdexp.tracking.sqlite import ensure_database

        ensure_database(template)
        shutil.copy(template, path)
        place = (path.parent / "mlartifacts" / "0").as_uri()
        with closing(sqlite3.connect(path)) as connection:
            query = "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0"
            connection.execute(query, (place,))
            connection.commit()

    return create_or_copy
