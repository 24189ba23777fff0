"""The config group `tracking`: where runs are recorded, and how much of them.

The address is checked within seconds before anything is written. MLflow itself reports an
unwritable folder after 103 s and an unreachable server after 247 s.
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
    check_file_name,
    command_folder,
    learn_secret,
    shown_path,
    validation,
)
from gdexp.tracking.artifact_address import ARTIFACTS, store_folder
from gdexp.tracking.database_check import check_path
from gdexp.tracking.database_connection import reading_uri
from gdexp.tracking.downsampling import FEWEST
from gdexp.tracking.server_address import mask_uri, with_driver
from gdexp.tracking.server_check import check_server

SQLITE = "sqlite:///"
LONGEST_NAME = 255
"""Bytes of a folder's name on the usual file systems."""

LONGEST_ENDING = 40
"""Bytes that are added to a database's name while it is created, or for SQLite's own files."""

URI_VARIABLE = "MLFLOW_TRACKING_URI"
"""The environment variable in which MLflow itself takes the address of a store."""

MODELS = ("last", "best", "none")
"""Which weights of a training are stored."""

BEST = re.compile(r"best:([1-9][0-9]{0,5})")
SCHEMES = "null (SQLite here), sqlite:///FILE.db, http(s)://HOST:PORT or postgresql://…"


@dataclass(frozen=True)
class TrackingSettings:
    """The config group `tracking`.

    Args:
        uri: MLflow's tracking URI; None is what the environment variable `MLFLOW_TRACKING_URI`
            names, or else `sqlite:///mlflow.db` in the current directory. A relative SQLite path
            starts there too.
        experiment: the MLflow experiment that the runs belong to.
        points: how many losses of a run go to the metric history: all, or a number >= 10. The
            record, `trace.npy`, always has all.
        children: which trials of a sweep have runs: all; or best:N. Then every trial is a row in
            the sweep's shards, and only the best N and a few others have runs too.
        source: whether the texts of changed source and of the user's own modules are stored, and
            the programs of portable descents; their digests always are.
        tensors: whether a training's weights at the start and at the end are stored; their digests
            always are. A descent's x always is.
        model: which weights of a training are stored as `model.safetensors`: `last`; `best`, of
            the evaluation with the best `stopping.metric`; or `none`.
    """

    uri: str | None = None
    experiment: str = "gdexp"
    points: int | str = "all"
    children: str = "all"
    source: bool = True
    tensors: bool = True
    model: str = "last"

    def __post_init__(self) -> None:
        given: object = self.experiment
        if type(given) is int:  # the command line makes a number of digits
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
        validation.boolean("source", self.source)
        validation.boolean("tensors", self.tensors)
        validation.choice("model", self.model, MODELS)
        from_environment = os.environ.get(URI_VARIABLE, "") if self.uri is None else ""
        if from_environment:
            object.__setattr__(self, "uri", from_environment)
        origin = f" (it comes from {URI_VARIABLE})" if from_environment else ""
        if self.uri is not None:
            validation.text("uri", self.uri)
            learn_secret(self.uri)
            scheme = self.uri.split(":", 1)[0].lower() if ":" in self.uri else ""
            if scheme not in {"sqlite", "http", "https", "postgresql", "postgresql+psycopg"}:
                raise BadInput("uri", mask_uri(self.uri), f"must be {SCHEMES}{origin}")
            path = self._sqlite_path()
            # After two slashes comes a host. After none MLflow would choose a file of its own.
            given_path = self.uri[: len(SQLITE)].lower() == SQLITE and not path.endswith("/")
            named = given_path and path not in {"", ":memory:"}
            if scheme == "sqlite" and (not named or "?" in path):
                raise BadInput(
                    "uri",
                    mask_uri(self.uri),
                    f"must name a file (no ?): sqlite:///FILE.db{origin}",
                )
        if not self.is_server and len(quote(self.experiment, safe=" ")) > LONGEST_NAME:
            raise BadInput(
                "experiment",
                self.experiment,
                f"is too long for the name of a folder: at most {LONGEST_NAME} bytes, with a sign "
                "that is no letter or digit as three or more",
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
    def folder(self) -> Path | None:
        """The folder of the SQLite file, where relative addresses begin; None for servers."""
        path = self.database
        return None if path is None else store_folder(path)

    @property
    def is_server(self) -> bool:
        """Whether the address names an MLflow server and not a database."""
        return self.mlflow_uri.lower().startswith(("http://", "https://"))

    @property
    def max_points(self) -> int | None:
        """How many losses of a run go to the metric history; None is all."""
        return self.points if isinstance(self.points, int) else None

    @property
    def best(self) -> int | None:
        """How many of a sweep's best trials have runs; None where all trials have."""
        found = BEST.fullmatch(self.children)
        return int(found[1]) if found else None

    @property
    def mlflow_uri(self) -> str:
        """The URI for MLflow: absolute, so that the working directory may change."""
        path = self.database
        if path is not None:
            return SQLITE + str(path)
        return with_driver(str(self.uri))

    @property
    def read_only(self) -> bool:
        """Whether this process may not write the SQLite file, or beside it."""
        path = self.database
        return path is not None and any(
            each.exists() and not os.access(each, os.W_OK) for each in (path.parent, path)
        )

    @property
    def reading_uri(self) -> str:
        """The URI for MLflow where it only reads; MLflow itself opens every file for writing."""
        path = self.database
        return reading_uri(path) if path is not None and self.read_only else self.mlflow_uri

    @property
    def store_key(self) -> str:
        """An address that identifies the store; it does not depend on the user and the password."""
        return self.display_uri if self.database is None else self.mlflow_uri

    @property
    def display_uri(self) -> str:
        """The address to print: a short path, or a URI without user and password."""
        path = self.database
        if path is None:
            return mask_uri(str(self.uri)).replace(f"{MASK}@", "").removesuffix(f"?{MASK}")
        return shown_path(path)

    def artifacts(self, experiment: str) -> str | None:
        """Return the absolute URI of the folder for an experiment's artifacts.

        It is beside the database file, or in the current directory for PostgreSQL. None where
        MLflow's server has its own.
        """
        if self.is_server:
            return None
        folder = self.folder or command_folder()
        return (folder / ARTIFACTS / quote(experiment, safe=" ")).as_uri()

    def preflight(self, reading: bool = False) -> None:
        """Check that the store can be used; write nothing.

        Args:
            reading: whether it is only read, so that it may be read-only.

        Raises:
            BadInput: a folder is missing, or a file is not a database.
            StorageFailed: a folder or file cannot be written, or a server does not answer.
        """
        path = self.database
        if path is not None:
            check_file_name("tracking.uri", path, LONGEST_ENDING)
            check_path(path, reading)
            return
        check_server("tracking.uri", str(self.uri), SCHEMES)

    def _sqlite_path(self) -> str:
        return str(self.uri)[len(SQLITE) :]
