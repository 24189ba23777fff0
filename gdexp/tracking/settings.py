"""Where the runs are kept: the tracking URI, made absolute and checked before anything is written.

MLflow finds an unwritable folder after 103 s and an unreachable server after 247 s; both are
looked at here first, within seconds.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from gdexp.core import (
    MASK,
    BadInput,
    StorageFailed,
    command_folder,
    learn_secret,
    shown_path,
    validation,
)
from gdexp.tracking.downsampling import FEWEST
from gdexp.tracking.server import check_server, masked, with_driver

SQLITE = "sqlite:///"
SQLITE_HEADER = b"SQLite format 3\0"
BEST = re.compile(r"best:([1-9][0-9]{0,5})")
SCHEMES = "null (SQLite here), sqlite:///FILE.db, http(s)://HOST:PORT or postgresql://…"


@dataclass(frozen=True)
class TrackingSettings:
    """The config group `tracking`.

    Args:
        uri: MLflow's tracking URI; None is `sqlite:///mlflow.db` in the current directory.
            A relative SQLite path is taken from there too.
        experiment: the MLflow experiment that the runs go to.
        points: losses of a run that go to the metric history, all or so many (>= 10); the record,
            `trace.npy`, always has all.
        children: of a sweep: all, every trial has a run; or best:N, every trial is a row of the
            sweep's shards, and the best N and a few others have runs besides.
    """

    uri: str | None = None
    experiment: str = "gdexp"
    points: int | str = "all"
    children: str = "all"

    def __post_init__(self) -> None:
        given: object = self.experiment
        if type(given) is int:  # what a command line makes of digits
            object.__setattr__(self, "experiment", str(given))
        validation.text("experiment", self.experiment)
        if self.experiment in {".", ".."}:
            raise BadInput("experiment", self.experiment, "must be a name that is no folder's")
        if len(self.experiment) > 500 or not self.experiment.isprintable():
            raise BadInput(
                "experiment", self.experiment, "must be one line, at most 500 characters"
            )
        points: object = self.points
        if points != "all" and (type(points) is not int or points < FEWEST):
            raise BadInput("points", points, f"must be all or a whole number >= {FEWEST}")
        children: object = self.children
        if children != "all" and not (isinstance(children, str) and BEST.fullmatch(children)):
            raise BadInput(
                "children", children, "must be all, or best:N with N from 1 to 999999: best:100"
            )
        if self.uri is not None:
            validation.text("uri", self.uri)
            learn_secret(self.uri)
            scheme = self.uri.split(":", 1)[0].lower() if ":" in self.uri else ""
            if scheme not in {"sqlite", "http", "https", "postgresql", "postgresql+psycopg"}:
                raise BadInput("uri", masked(self.uri), f"must be {SCHEMES}")
            path = self._sqlite_path()
            # With two slashes a host would follow, and with none MLflow would find its own file.
            given_path = self.uri[: len(SQLITE)].lower() == SQLITE and not path.endswith("/")
            named = given_path and path not in {"", ":memory:"}
            if scheme == "sqlite" and (not named or set(path) & set("?#%")):
                raise BadInput(
                    "uri", masked(self.uri), "must name a file (no ?, # or %): sqlite:///FILE.db"
                )

    @property
    def database(self) -> Path | None:
        """The SQLite file as an absolute path; None for servers."""
        if self.uri is None:
            return command_folder() / "mlflow.db"
        if self.uri.lower().startswith("sqlite:"):
            return command_folder() / self._sqlite_path()
        return None

    @property
    def is_server(self) -> bool:
        """Whether it is an MLflow server and not a database."""
        return self.resolved.lower().startswith(("http://", "https://"))

    @property
    def most_points(self) -> int | None:
        """Losses of a run that go to the metric history; None for all."""
        return self.points if isinstance(self.points, int) else None

    @property
    def best(self) -> int | None:
        """How many of a sweep's trials have a run for being the best; None where all have one."""
        found = BEST.fullmatch(self.children)
        return int(found[1]) if found else None

    @property
    def resolved(self) -> str:
        """The URI that MLflow is given: absolute, whatever the working directory becomes."""
        path = self.database
        if path is not None:
            return SQLITE + str(path)
        return with_driver(str(self.uri))

    @property
    def place(self) -> str:
        """The same for as long as the store is the same: who asks, and with which password, not."""
        return self.shown if self.database is None else self.resolved

    @property
    def shown(self) -> str:
        """The URI for people: relative where it can be, an address without user and password."""
        path = self.database
        if path is None:
            return masked(str(self.uri)).replace(f"{MASK}@", "").removesuffix(f"?{MASK}")
        return shown_path(path)

    def artifacts(self, experiment: str) -> str | None:
        """An absolute home for artifacts: beside a database file, or here for PostgreSQL.

        None where MLflow's server has its own.
        """
        if self.is_server:
            return None
        path = self.database or command_folder() / "mlflow.db"
        return (path.parent / "mlartifacts" / quote(experiment, safe=" ")).as_uri()

    def preflight(self) -> None:
        """Look, without writing, whether the place can be used.

        Raises:
            BadInput: a folder that is missing, a file that is no database.
            StorageFailed: a folder or file that cannot be written, a server that does not answer.
        """
        path = self.database
        if path is not None:
            _check_database(path)
            return
        check_server("tracking.uri", str(self.uri), SCHEMES)

    def _sqlite_path(self) -> str:
        return str(self.uri)[len(SQLITE) :]


def _check_database(path: Path) -> None:
    folder = path.parent
    if re.search(r"%[0-9A-Fa-f]{2}", str(path)):
        raise BadInput(
            "tracking.uri",
            shown_path(path),
            "holds a %-escape, which MLflow would decode; use another name",
        )
    if path.is_dir():
        raise BadInput("tracking.uri", shown_path(path), "is a folder; name a database file in it")
    if path.is_symlink() and not path.exists():
        target = path.readlink()
        raise BadInput(
            "tracking.uri", shown_path(path), f"is a link to {target}, which is not there"
        )
    if path.exists() and not path.is_file():
        raise BadInput("tracking.uri", shown_path(path), "is no regular file; name another")
    if not folder.is_dir():
        raise BadInput(
            "tracking.uri", shown_path(path), f"the folder {folder} does not exist; create it"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageFailed(
            f"tracking.uri={shown_path(path)}: the folder {folder} cannot be written to; "
            "give the right to, or name another"
        )
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            header = file.read(len(SQLITE_HEADER))
    except OSError as error:
        raise StorageFailed(
            f"tracking.uri={shown_path(path)}: cannot be read ({error.strerror}); "
            "give the right to, or name another"
        ) from None
    if header and header != SQLITE_HEADER:
        raise BadInput(
            "tracking.uri",
            shown_path(path),
            "is not an MLflow database; it is left as it is, name another",
        )
    if not os.access(path, os.W_OK):
        raise StorageFailed(
            f"tracking.uri={shown_path(path)}: the file cannot be written to; "
            "give the right to, or name another"
        )
