"""The settings that MLflow takes from the whole process: environment, loggers, warnings."""

from __future__ import annotations

import logging
import os
import warnings


def configure_mlflow_process() -> None:
    """Set up this process for MLflow, then import it: no telemetry, few retries, no bars.

    The environment must be set before MLflow is imported, and the loggers after that: MLflow sets
    its own log level when it is imported.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # seconds for each try, not 120
    os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    warnings.filterwarnings("ignore", module=r"mlflow\.")
    import mlflow  # noqa: F401

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
