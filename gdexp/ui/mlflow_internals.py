"""Everything undocumented in MLflow's server that gdexp uses, in one place.

MLflow 3.17 has no public way to put an application in front of its own. The option `--app-name`
takes only the entry points of installed distributions, and gdexp runs from a plain folder too. So
`serve` changes the command by which MLflow starts uvicorn, and runs it in the same process: a
process of its own would import MLflow again, which takes two seconds.

A program that MLflow's server gives a relative address of artifacts takes it from its own current
directory. So the server's addresses are made absolute as they are read; the database keeps them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from gdexp.tracking import absolute_address, local_folder

PRIVATE_NAMES = (
    "mlflow.cli.cli",
    "mlflow.server._build_uvicorn_command",
    "mlflow.server._exec_cmd",
    "uvicorn.main.main",
    "mlflow.server.fastapi_app.app",
    "mlflow.store.tracking.dbmodels.models.SqlRun",
)
"""The undocumented names that this module uses."""

UVICORN_PARAMETERS = (
    *("uvicorn_opts", "host", "port", "workers", "app_name", "env_file", "is_factory"),
)
"""The parameters of `_build_uvicorn_command`, in order."""


def application() -> Any:  # noqa: ANN401
    """Return MLflow's ASGI application, set up by the environment that `mlflow server` makes."""
    from mlflow.server.fastapi_app import app

    _give_absolute_addresses(Path.cwd())
    return app


def _give_absolute_addresses(folder: Path) -> None:
    """Make the artifact address of every run that MLflow reads absolute.

    Args:
        folder: what relative addresses are relative to.
    """
    models: Any = import_module("mlflow.store.tracking.dbmodels.models")
    read = models.SqlRun.to_mlflow_entity

    def read_ours(row: Any) -> Any:  # noqa: ANN401
        run = read(row)
        address = str(run.info.artifact_uri or "")
        place = local_folder(address)
        if address and place is not None and not place.is_absolute():
            run.info._artifact_uri = absolute_address(address, folder)
        return run

    models.SqlRun.to_mlflow_entity = read_ours


def serve(factory: str) -> None:
    """Run MLflow's command line; its `server` starts another application than MLflow's own.

    Args:
        factory: what makes the application, as `package.module:function`.
    """
    from mlflow.cli import cli

    server: Any = import_module("mlflow.server")
    build = server._build_uvicorn_command

    def build_ours(
        options: str | None, host: str, port: int, workers: int, app: str, *_: object
    ) -> list[str]:
        return list(build(options, host, port, workers, factory, None, True))

    def run_here(command: list[str], *, extra_env: Mapping[str, str], **_: object) -> NoReturn:
        from uvicorn.main import main

        os.environ.update(extra_env)
        main(command[command.index("uvicorn") + 1 :], prog_name="uvicorn")
        sys.exit(0)

    server._build_uvicorn_command = build_ours
    server._exec_cmd = run_here
    cli.main(prog_name="mlflow")
