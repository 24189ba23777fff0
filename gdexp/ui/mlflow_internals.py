"""Everything undocumented in MLflow's server that gdexp uses, in one place.

MLflow 3.17 has no public way to put an application in front of its own. The option `--app-name`
takes only the entry points of installed distributions, and gdexp runs from a plain folder too. So
`serve` changes the command by which MLflow starts uvicorn.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

PRIVATE_NAMES = (
    "mlflow.cli.cli",
    "mlflow.server._build_uvicorn_command",
    "mlflow.server.fastapi_app.app",
)
"""The undocumented names that this module uses."""

UVICORN_PARAMETERS = (
    *("uvicorn_opts", "host", "port", "workers", "app_name", "env_file", "is_factory"),
)
"""The parameters of `_build_uvicorn_command`, in order."""


def application() -> Any:  # noqa: ANN401
    """Return MLflow's ASGI application, set up by the environment that `mlflow server` makes."""
    from mlflow.server.fastapi_app import app

    return app


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

    server._build_uvicorn_command = build_ours
    cli.main(prog_name="mlflow")
