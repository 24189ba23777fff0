"""Closing a database's connections at the end, and keeping forked processes from using them."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from gdexp.core import at_end
from gdexp.tracking import mlflow_internals
from gdexp.tracking.write_ahead_log import settle_log

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Engine, Pool

SEEN = "gdexp_closed_at_end"
"""An execution option of the engines that are closed here; it has no other effect."""


def close_at_end(client: MlflowClient, database: Path | None) -> Engine | None:
    """Close a client's connections when the command or the process ends; settle the log then.

    MLflow has one engine for each address and process, and never closes its connections.

    Args:
        client: of the store.
        database: the SQLite file of the store; None for servers.

    Returns:
        The engine; None where the store is no database.
    """
    try:
        engine = mlflow_internals.engine_of(client)
    except mlflow_internals.UnknownSchema:
        return None
    own = os.getpid()

    def close() -> None:
        if os.getpid() == own:
            engine.dispose()
            if database is not None and database.exists():
                settle_log(database)

    at_end(database or engine, close)
    if SEEN not in engine.get_execution_options():
        engine.update_execution_options(**{SEEN: True})
        _forget_in_children(engine)
    return engine


def _forget_in_children(engine: Engine) -> None:
    """Let a forked child open connections of its own.

    A hook cannot be removed. This one holds the engine weakly, so it does nothing afterwards.
    """
    known = weakref.ref(engine)
    kept: list[Pool] = []

    def forget() -> None:
        engine = known()
        if engine is not None:
            # Kept, not closed: SQLite would let go of locks that it thinks are the child's.
            kept.append(engine.pool)
            engine.dispose(close=False)

    os.register_at_fork(after_in_child=forget)
