"""The errors of the libraries that store runs, of those that are loaded."""

from __future__ import annotations

import sqlite3
import sys

_OF_LIBRARIES = {"mlflow.exceptions": "MlflowException", "sqlalchemy.exc": "SQLAlchemyError"}


def storage_errors(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return the errors of MLflow, SQL and the disk, for an `except`; nothing is imported.

    Args:
        more: errors to add.
    """
    loaded = [
        getattr(sys.modules[module], name)
        for module, name in _OF_LIBRARIES.items()
        if module in sys.modules
    ]
    return (sqlite3.Error, OSError, *more, *loaded)
