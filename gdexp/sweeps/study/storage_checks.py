"""Checks of `sweep.storage`, made before anything is written."""

from __future__ import annotations

from gdexp.core import BadInput, StorageFailed, failure_reason
from gdexp.sweeps.plan import Plan
from gdexp.sweeps.settings import STORAGES
from gdexp.sweeps.study.journal_check import check_journal
from gdexp.tracking import (
    check_name,
    check_server,
    database_key,
    has_password,
    is_postgresql,
    mask_uri,
)


def check_no_password(plan: Plan) -> None:
    """Refuse an address with a password: a launcher keeps the config of its jobs in files.

    Raises:
        BadInput: names the key and the right place for the password.
    """
    for key, address in (
        ("sweep.storage", plan.storage_server or ""),
        ("tracking.uri", plan.tracking.mlflow_uri),
    ):
        if has_password(address):
            instead = (
                "~/.pgpass, or the file that PGPASSFILE names"
                if is_postgresql(address)
                else "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
            raise BadInput(
                key,
                mask_uri(address),
                "holds a password, which jobs of a launcher would keep in their files; "
                f"put it in {instead}",
            )


def check_storage(plan: Plan) -> None:
    """Refuse a storage that cannot hold a study.

    Raises:
        BadInput: it is MLflow's database, a folder, or a file that gdexp did not make.
        StorageFailed: it cannot be read, or no server answers.
    """
    if plan.storage_server is not None:
        check_server("sweep.storage", plan.storage_server, STORAGES)
        tracked = plan.tracking.mlflow_uri
        if is_postgresql(tracked) and database_key(tracked) == database_key(plan.storage_server):
            raise BadInput(
                "sweep.storage",
                mask_uri(plan.storage_server),
                "is MLflow's database; two are needed",
            )
        return
    path, database = plan.journal, plan.tracking.database
    check_name("sweep.storage", path)
    if database is not None and path.resolve() == database.resolve():
        raise BadInput("sweep.storage", str(path), "is MLflow's database; two files are needed")
    try:
        check_journal(path)
    except OSError as error:
        raise StorageFailed(f"sweep.storage={path}: {failure_reason(error)}") from error
