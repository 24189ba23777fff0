"""The settings that MLflow takes from the whole process: environment, loggers, warnings."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds for each try, not 120
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Environment variables that are set unless the user has set them."""

_LoggerState = tuple[int, bool, bool, list[logging.Handler]]


def prepare_mlflow_process() -> None:
    """Set up this process for an MLflow that is imported later, perhaps by the user's code."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", module=r"mlflow\.")


def configure_mlflow_process() -> None:
    """Set up this process for MLflow, then import it: no telemetry, few retries, no bars.

    The environment must be set before MLflow is imported, and the loggers after that: MLflow sets
    its own log level when it is imported.
    """
    prepare_mlflow_process()
    import mlflow  # noqa: F401

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Set up MLflow inside the block, and leave the caller's process as it was.

    Environment variables, filters of warnings and loggers are put back. A logger that MLflow makes
    when it is first imported stays as MLflow makes it.
    """
    environment, loggers = dict(os.environ), _loggers()
    try:
        with warnings.catch_warnings():
            os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
            import mlflow  # noqa: F401

            loggers = _loggers() | loggers
            configure_mlflow_process()
            yield
    finally:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)
        for logger, (level, *flags, handlers) in loggers.items():
            logger.setLevel(level)
            logger.propagate, logger.disabled = flags
            logger.handlers = handlers


def _loggers() -> dict[logging.Logger, _LoggerState]:
    """Return the state of every logger that exists, the root's too."""
    known = list(logging.root.manager.loggerDict.values())
    loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
    return {each: (each.level, each.propagate, each.disabled, [*each.handlers]) for each in loggers}
