"""What commands do in less time in tests: a new database, pictures, the composition of a config.

MLflow takes 1.7 seconds to create its tables, matplotlib 1.5 for the pictures of a sweep, Hydra 0.1
for each config. Tests of these use the real thing.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal import hydra as hydra_main
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.config_search_path import ConfigSearchPath

HERE = "tests.support.shortcuts"
LOADER = "ConfigLoaderImpl"
"""The name by which `hydra_main` makes a loader of configs."""

REFUSED = (
    *("seed=-1", "+sweep seed=-1", "+sweep=pareto seed=-1", "+sweep=fast seed=-1", "-m seed=-1,-2"),
    *("problem=quadratic seed=-1", "+sweep problem=quadratic seed=-1", "+rerun=a seed=-1"),
    *("+compare compare.thresholds=a", "+export=a seed=-1", "+inspect seed=-1"),
    *("+resume=a seed=-1", "+benchmark seed=-1"),
)
"""Commands that end when their config is composed."""

Create = Callable[[Path, str], None]
TEMPLATE = "GDEXP_TESTS_TEMPLATE"
"""The environment variable that names the database to be copied."""


def take(template: str) -> None:
    """Take all shortcuts, in a process that runs one command.

    Args:
        template: path of the database that is copied; it is made when it is first needed.
    """
    from gdexp.tracking import mlflow_internals

    for owner, name, stand_in in small_pictures():
        setattr(owner, name, stand_in)
    copy = copying(mlflow_internals.create_database, Path(template))
    setattr(mlflow_internals, "create_database", copy)  # noqa: B010 - a stand-in
    setattr(hydra_main, LOADER, config_loader)


def config_loader(config_search_path: ConfigSearchPath) -> ConfigLoader:
    """A stand-in for Hydra's loader: commands that choose the same files share what these give.

    A config with other files than gdexp's and Hydra's own gets the real one.
    """
    from gdexp.config import shipped

    places = tuple((str(each.provider), str(each.path)) for each in config_search_path.get_path())
    if {path for _, path in places} == {"pkg://hydra.conf", str(shipped()), "structured://"}:
        return _shared_loader(places)
    return ConfigLoaderImpl(config_search_path)


@cache
def _shared_loader(places: tuple[tuple[str, str], ...]) -> ConfigLoader:
    """The loader with which the jobs of a sweep share what they have in common."""
    from gdexp.sweeper.composition_internals import sharing_loader

    search_path = ConfigSearchPathImpl()
    for provider, place in places:
        search_path.append(provider, place)
    return sharing_loader(ConfigLoaderImpl(search_path))


def share_configs() -> None:
    """Compose what most commands share, for the processes that are forked from this one."""
    from gdexp.cli.main import main

    setattr(hydra_main, LOADER, config_loader)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for line in REFUSED:
            assert main(line.split()) == 2
    setattr(hydra_main, LOADER, ConfigLoaderImpl)


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
