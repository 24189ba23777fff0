"""SQLite's write-ahead log: begun by a writer, and settled into the database file at the end.

With the log, readers and a writer need not wait for each other. Without it SQLite keeps a rollback
journal, which works on every file system, and opens from a read-only one. So a database has the
log only while gdexp writes to it.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import suppress
from pathlib import Path

from gdexp.tracking.database_connection import connect

MOUNTS = Path("/proc/self/mountinfo")
"""Linux's list of the mounted file systems."""

WITHOUT_LOG = frozenset(
    (
        *("9p", "acfs", "afs", "beegfs", "ceph", "cifs", "cvfs", "fuse", "gfs", "gfs2", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "pvfs2"),
        *("smb2", "smb3", "smbfs", "vboxsf", "vmhgfs", "wekafs"),
    )
)
"""File systems where the log does not work: its users need memory that they all share
(https://sqlite.org/wal.html). Every `fuse.…` counts too, such as `fuse.sshfs`."""

SETTLE_SECONDS = 2.0
"""How long the end waits for readers before it leaves a part in the log."""


def begin_log(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Set a database to the write-ahead log where that works, else to the rollback journal.

    A database that others are reading at the moment keeps its journal: that is slower, not wrong.

    Args:
        path: of the database.
        mounts: the list of mounted file systems.

    Returns:
        A warning that names the file system if the log does not work there; else None.
    """
    kind = file_system(path, mounts)
    works = kind not in WITHOUT_LOG and not kind.startswith("fuse.")
    with suppress(sqlite3.Error), connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode={'WAL' if works else 'DELETE'}")
    if works:
        return None
    return (
        f"{path.name} is on {kind}, where SQLite's write-ahead log does not work; "
        "its rollback journal is used, which is slower"
    )


def settle_log(path: Path) -> None:
    """Move the log into the database file; remove it if nobody else has the file open.

    Then a copy of the file alone has everything, and it opens from a read-only file system. Errors
    are ignored: what stays in the log is read from there.
    """
    with suppress(sqlite3.Error), connect(path, seconds=SETTLE_SECONDS) as connection:
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            return
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA journal_mode=DELETE")


def file_system(path: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system that holds a path, as Linux names it; empty elsewhere."""
    try:
        lines = mounts.read_bytes().decode(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    folder = path.resolve().parent
    found = (Path("/"), "")
    for line in lines:
        left, _, right = line.partition(" - ")
        place = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), left.split()[4]))
        # Of two at one place the later one lies on top.
        if folder.is_relative_to(place) and len(place.parts) >= len(found[0].parts):
            found = place, right.split()[0]
    return found[1]
